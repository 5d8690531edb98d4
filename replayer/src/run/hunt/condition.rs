//! What a hunt looks for.

use crate::status::{Ending, signal_number};
use regex::bytes::{Regex, RegexBuilder};
use std::str::FromStr;

/// One thing that a run can show.
#[derive(Clone, Debug)]
pub enum Condition {
    /// `exit=K`: it exits with this status.
    Exit(i32),
    /// `exit!=K`: it exits with another one.
    ExitOtherThan(i32),
    /// `signal`, `signal=NAME`: a signal kills it, or this one does.
    Signal(Option<i32>),
    /// `match RE`: what it writes to stdout or stderr matches.
    Match(Regex),
}

/// What to look for if the user does not say.
pub const DEFAULT: [Condition; 2] = [Condition::ExitOtherThan(0), Condition::Signal(None)];

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Condition, String> {
        let text = text.trim();
        if text == "signal" {
            return Ok(Condition::Signal(None));
        }
        if let Some(name) = text.strip_prefix("signal=") {
            let number = signal_number(name).ok_or_else(|| format!("there is no signal {name}"))?;
            return Ok(Condition::Signal(Some(number)));
        }
        if let Some(status) = text.strip_prefix("exit=") {
            return exit_status(status).map(Condition::Exit);
        }
        if let Some(status) = text.strip_prefix("exit!=") {
            return exit_status(status).map(Condition::ExitOtherThan);
        }
        if let Some(expression) = text.strip_prefix("match").and_then(|rest| rest.strip_prefix([' ', '='])) {
            // What programs write are lines.
            let expression = RegexBuilder::new(expression).multi_line(true).build();
            return expression.map(Condition::Match).map_err(|error| error.to_string());
        }
        Err("expected exit=K, exit!=K, signal, signal=NAME or 'match RE'".into())
    }
}

fn exit_status(digits: &str) -> Result<i32, String> {
    let status: Result<u8, _> = digits.parse();
    status.map(i32::from).map_err(|_| format!("an exit status is a number from 0 to 255, not {digits:?}"))
}

impl Condition {
    /// Whether a run that ended and wrote so shows it.
    pub fn is_met(&self, ending: Ending, outputs: &[Vec<u8>; 2]) -> bool {
        match (self, ending) {
            (Condition::Exit(wanted), Ending::Exited(status)) => status == *wanted,
            (Condition::ExitOtherThan(unwanted), Ending::Exited(status)) => status != *unwanted,
            (Condition::Signal(wanted), Ending::Killed(signal)) => {
                wanted.is_none_or(|wanted| signal == wanted)
            }
            (Condition::Match(expression), _) => outputs.iter().any(|output| expression.is_match(output)),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENDINGS: [Ending; 4] =
        [Ending::Exited(0), Ending::Exited(3), Ending::Killed(libc::SIGSEGV), Ending::Killed(libc::SIGABRT)];

    #[test]
    fn conditions_are_met_by_what_they_name() {
        for (text, met) in [
            ("exit=3", [false, true, false, false]),
            ("exit=0", [true, false, false, false]),
            ("exit!=0", [false, true, false, false]),
            ("exit!=3", [true, false, false, false]),
            ("signal", [false, false, true, true]),
            ("signal=SIGSEGV", [false, false, true, false]),
            ("signal=abrt", [false, false, false, true]),
            ("signal=11", [false, false, true, false]),
            ("match ^bad$", [true; 4]),
            ("match=w.rse", [true; 4]),
            ("match ^bad good", [false; 4]),
        ] {
            let condition: Condition = text.parse().unwrap();
            let outputs = [b"good\nbad\n".to_vec(), b"\xffworse".to_vec()];
            assert_eq!(ENDINGS.map(|ending| condition.is_met(ending, &outputs)), met, "{text}");
        }
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        for (text, says) in [
            ("exit", "expected"),
            ("exit=256", "256"),
            ("exit!=x", "\"x\""),
            ("signal=NONE", "NONE"),
            ("match (", "unclosed"),
            ("matches", "expected"),
        ] {
            let error = text.parse::<Condition>().unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
