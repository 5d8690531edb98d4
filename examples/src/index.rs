//! The list of the programs that `README.md` has: what each shows, how to see it, and what is to be seen.

use crate::case::{Case, Command, Expected, Output, Rebuilt};
use crate::{programs, sources};
use anyhow::{Context, Result};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::fs;

const HEAD: &str = "\
# Examples

Small programs, each with one source of non-determinism or one class of bugs. The tests record every one and replay it identically:
`cargo test -p examples --test sources`. To look at one, natively, recorded and replayed:

```sh
cargo build --release            # once: the tool
cargo build -p examples          # once
cargo run -p examples -- 'time/clocks'
```

The texts below come from the programs and from the table of the tests; `cargo run -p examples > examples/README.md` writes this file. Three longer
sessions are in [the guide](../docs/guide/sessions.md), ten bugs in [the gallery](../docs/GALLERY.md).
";

/// The text of `README.md`. An error if a program says nothing of itself.
pub fn text() -> Result<String> {
    let mut by_source: BTreeMap<String, Vec<Case>> = BTreeMap::new();
    for case in sources::table() {
        by_source.entry(source(&case)).or_default().push(case);
    }
    let mut text = HEAD.to_owned();
    let mut folder = "";
    for (source, cases) in &by_source {
        let (own_folder, name) = source.split_once('/').context("a program outside of the folders")?;
        if own_folder != folder {
            folder = own_folder;
            write!(text, "\n## {folder}\n\n")?;
        }
        writeln!(text, "- [{name}](programs/{source}): {}", shown(source)?)?;
        for case in cases {
            writeln!(text, "  - `cargo run -p examples -- '{}'`: {}", case.name, observation(case))?;
        }
    }
    Ok(text)
}

/// Path of the program's source below `programs`.
fn source(case: &Case) -> String {
    match case.command {
        Command::Own { source, .. } => source.to_owned(),
        Command::Built { binary, .. } => format!("crates/{}.rs", binary.replace('-', "_")),
        Command::Words(text) | Command::Script(text) => text.to_owned(),
    }
}

/// What the program's first lines say that it shows.
fn shown(source: &str) -> Result<String> {
    let path = programs::sources().join(source);
    let program = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let comment = program.lines().map_while(|line| line.strip_prefix("//"));
    let words: Vec<_> = comment.map(|line| line.trim_start_matches('!').trim()).collect();
    let said = words.join(" ");
    let said =
        said.strip_prefix("Shows: ").with_context(|| format!("{source} does not say what it shows"))?;
    Ok(said.replace('*', "\\*").replace('<', "\\<"))
}

/// What is to be seen when it is recorded and replayed.
fn observation(case: &Case) -> String {
    let mut parts = Vec::new();
    if let Command::Own { rebuilt: Some(Rebuilt { mode, compiler }), .. } = case.command {
        parts.push(format!("compiled by `imitate cc --mode {mode} -- {compiler}`"));
    }
    if case.hunted.is_some() {
        parts.push("recorded with chaos, one seed after the other, until the bug shows".to_owned());
    }
    if case.in_parallel {
        parts.push("recorded with `--order sync`".to_owned());
    }
    let output = match (case.end, case.output) {
        (Expected::Refused(words), _) => format!("refused, since it is {words}"),
        (_, Output::Steady) => "the same output, recorded or not".to_owned(),
        (_, Output::Varies) => "another output in every run, and the recorded one in each replay".to_owned(),
        (_, Output::Either) => "the recorded output in each replay".to_owned(),
    };
    parts.push(output);
    match case.end {
        Expected::Exit(0) | Expected::Refused(_) => {}
        Expected::Exit(status) => parts.push(format!("exit status {status}")),
        Expected::Signal(signal) => parts.push(format!("death by signal {signal}")),
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn the_list_is_complete_and_up_to_date() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
        let there = fs::read_to_string(&path).unwrap();
        let expected = text().unwrap();
        assert!(there == expected, "run `cargo run -p examples > examples/README.md`");
    }
}
