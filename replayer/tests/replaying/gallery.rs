//! The sections of docs/GALLERY.md: their programs fail, and their commands lead to the guilty line.

use crate::document::{Block, blocks, exchanges};
use crate::{Place, debugger, imitate, text};
use std::path::Path;
use std::process::Command;

const DOCUMENT: &str = include_str!("../../../docs/GALLERY.md");

/// The title and the text of each section.
fn sections() -> Vec<(&'static str, &'static str)> {
    let all = DOCUMENT.split("\n## ").skip(1);
    all.map(|section| section.split_once('\n').unwrap()).collect()
}

/// The program of a section.
pub fn source(title: &str) -> String {
    let (_, section) = sections().into_iter().find(|(known, _)| *known == title).unwrap();
    blocks(section).into_iter().find(|block| block.language == "c").unwrap().text
}

/// A shell in which `imitate` is the tool under test, in the place's directory.
fn shell(place: &Place, line: &str) -> String {
    let tool = imitate();
    let directory = Path::new(tool.get_program()).parent().unwrap();
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    for (name, value) in tool.get_envs() {
        command.env(name, value.unwrap());
    }
    command.env("PATH", path).env("IMITATE_DIR", place.path("traces")).current_dir(place.path(""));
    // What is said on either is what a user sees.
    let output = command.arg("-c").arg(format!("{{ {line}; }} 2>&1")).output().unwrap();
    text(&output.stdout)
}

/// What a section says, done.
fn walk(title: &str) {
    let (_, section) = sections().into_iter().find(|(known, _)| *known == title).unwrap();
    let blocks = blocks(section);
    let place = Place::new();
    let mut debugged = None;
    let mut session = Vec::new();
    for (number, Block { language, text }) in blocks.iter().enumerate() {
        match *language {
            "c" => {
                // The compiler's command behind it says how it is called.
                let behind = exchanges(&blocks[number + 1].text, "$ ");
                let name = behind[0].command.split(' ').next_back().unwrap();
                std::fs::write(place.path(name), text).unwrap();
            }
            "console" => {
                for exchange in exchanges(text, "$ ") {
                    match exchange.command.strip_prefix("imitate replay --gdb ") {
                        Some(trace) => debugged = Some(place.path("traces").join(trace)),
                        None => exchange.assert_answered_by(&shell(&place, &exchange.command)),
                    }
                }
            }
            "gdb" => {
                session.extend(exchanges(text, "(gdb) "));
                // Words may stand between blocks of one session.
                if blocks.get(number + 1).is_some_and(|next| next.language == "gdb") {
                    continue;
                }
                let trace = debugged.take().expect("a trace that gdb shows");
                debugger::assert_session(&trace, &std::mem::take(&mut session));
            }
            other => panic!("{title} has a block of {other}"),
        }
    }
}

/// A test for each section, and one that none is missing.
macro_rules! walks {
    ($($name:ident: $title:literal,)*) => {
        $(
            #[test]
            fn $name() {
                walk($title);
            }
        )*

        #[test]
        fn every_section_is_a_test() {
            let titles: Vec<_> = sections().into_iter().map(|(title, _)| title).collect();
            assert_eq!(titles, [$($title),*]);
        }
    };
}

walks! {
    data_race: "A data race",
    atomicity_violation: "An atomicity violation",
    order_violation: "An order violation",
    deadlock: "A deadlock",
    lost_wake_up: "A lost wake-up",
    use_after_free: "A use after free",
    closed_twice: "A descriptor that is closed twice",
    unsafe_handler: "A handler that is not safe",
    file_gone_after_the_check: "A file that is gone after the check",
    sums_that_differ: "Sums that differ",
}
