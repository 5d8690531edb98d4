//! Says how two runs differ, for a reader who has only the test's log.

use crate::run::Outcome;
use similar::TextDiff;

/// At most this many lines of a difference are shown.
const LINES: usize = 60;

/// Every difference between `expected` and `actual`; `None` if there is none.
pub fn between(expected: &Outcome, actual: &Outcome) -> Option<String> {
    let mut differences = String::new();
    if expected.end != actual.end {
        differences += &format!("end: expected {}, got {}\n", expected.end, actual.end);
    }
    for (name, expected, actual) in
        [("stdout", &expected.stdout, &actual.stdout), ("stderr", &expected.stderr, &actual.stderr)]
    {
        if expected != actual {
            differences += &format!(
                "{name}: expected {} bytes, got {}; {}\n",
                expected.len(),
                actual.len(),
                bytes(expected, actual)
            );
        }
    }
    (!differences.is_empty()).then_some(differences)
}

/// The last lines of what a program wrote.
pub fn tail(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}

/// A line-by-line difference of text, or the surroundings of the first difference of other bytes.
fn bytes(expected: &[u8], actual: &[u8]) -> String {
    let at = expected.iter().zip(actual).take_while(|(expected, actual)| expected == actual).count();
    let small = expected.len().max(actual.len()) < 1 << 20;
    if let (true, Ok(expected), Ok(actual)) =
        (small, std::str::from_utf8(expected), std::str::from_utf8(actual))
    {
        let difference = TextDiff::from_lines(expected, actual);
        let text = difference.unified_diff().context_radius(2).header("expected", "got").to_string();
        let escaped: Vec<String> =
            text.lines().take(LINES).map(|line| line.escape_debug().to_string()).collect();
        return format!("first difference at byte {at}:\n{}", escaped.join("\n"));
    }
    let around = |bytes: &[u8]| {
        let from = at.saturating_sub(32).min(bytes.len());
        bytes[from..(at + 32).min(bytes.len())].escape_ascii().to_string()
    };
    format!(
        "first difference at byte {at}:\nexpected ...{}...\ngot      ...{}...",
        around(expected),
        around(actual)
    )
}
