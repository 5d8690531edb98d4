//! Doing what a document says: its files are written, its commands are run, and what it quotes of the answers is in them.

use crate::document::{Block, Exchange, exchanges};
use crate::{Place, debugger, imitate, text};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// What a block of commands can say behind `console`: that it is done only where this holds.
struct Condition {
    name: &'static str,
    holds: fn() -> bool,
}

const CONDITIONS: &[Condition] = &[
    // A server that answers.
    Condition { name: "docker", holds: || succeeds("docker", &["info"]) },
    Condition { name: "systemd", holds: || succeeds("systemd-analyze", &["--version"]) },
    // It takes minutes.
    Condition { name: "long", holds: || std::env::var_os("IMITATE_TEST_GUIDE").is_some() },
];

fn succeeds(program: &str, arguments: &[&str]) -> bool {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// What the compiler is called with in the first of some commands.
fn source(commands: &str) -> String {
    let first = &exchanges(commands, "$ ")[0].command;
    first.split(' ').next_back().unwrap().to_owned()
}

/// A reader at work.
pub struct Walk {
    place: Place,
    directory: PathBuf,
    /// Status of the last command, for `$?`.
    status: i32,
    debugged: Option<PathBuf>,
    session: Vec<Exchange>,
}

impl Walk {
    /// In a new directory, which is the home directory too.
    pub fn new() -> Walk {
        let place = Place::new();
        let directory = place.path("");
        Walk { place, directory, status: 0, debugged: None, session: Vec::new() }
    }

    /// With the project's source as a directory of this name beside the files.
    pub fn with_source(self, name: &str) -> Walk {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        std::os::unix::fs::symlink(source, self.place.path(name)).unwrap();
        self
    }

    /// Does what the blocks say, in their order. `title` is for messages.
    pub fn follow(&mut self, title: &str, blocks: &[Block]) {
        for (number, block) in blocks.iter().enumerate() {
            let (language, remark) = block.language.split_once(' ').unwrap_or((block.language, ""));
            match language {
                "console" => self.converse(title, remark, &block.text),
                "gdb" => {
                    self.session.extend(exchanges(&block.text, "(gdb) "));
                    // Words may stand between blocks of one session.
                    if blocks.get(number + 1).is_none_or(|next| next.language != "gdb") {
                        let trace = self.debugged.take().expect("a trace that gdb shows");
                        debugger::assert_session(&trace, &std::mem::take(&mut self.session));
                    }
                }
                // A figure.
                "text" => {}
                _ => {
                    let name = match (remark, blocks.get(number + 1)) {
                        ("", Some(next)) if language == "c" => source(&next.text),
                        ("", _) => panic!("{title} has a block of {language} without a name"),
                        (name, _) => name.to_owned(),
                    };
                    std::fs::write(self.directory.join(name), format!("{}\n", block.text)).unwrap();
                }
            }
        }
    }

    fn converse(&mut self, title: &str, condition: &str, text: &str) {
        if !condition.is_empty() {
            let known = CONDITIONS.iter().find(|known| known.name == condition);
            let condition = known.unwrap_or_else(|| panic!("{title}: when is {condition}?"));
            if !(condition.holds)() {
                eprintln!("{title}: left out, since this is not {}:\n{text}", condition.name);
                return;
            }
        }
        for exchange in exchanges(text, "$ ") {
            if let Some(trace) = exchange.command.strip_prefix("imitate replay --gdb ") {
                // As the tool looks for it.
                let here = self.directory.join(trace);
                self.debugged =
                    Some(if here.is_dir() { here } else { self.place.path("traces").join(trace) });
            } else if let Some(directory) = exchange.command.strip_prefix("cd ") {
                self.directory = match directory.strip_prefix("~/") {
                    Some(below_home) => self.place.path(below_home),
                    None => self.directory.join(directory),
                };
            } else {
                let answer = self.shell(&exchange.command);
                exchange.assert_answered_by(&answer);
                // What nothing is said of is expected to work.
                assert!(
                    self.status == 0 || !exchange.answers.is_empty(),
                    "{title}: {} fails with {}: {answer}",
                    exchange.command,
                    self.status
                );
            }
        }
    }

    /// A shell in which `imitate` is the tool under test.
    fn shell(&mut self, line: &str) -> String {
        let tool = imitate();
        let directory = Path::new(tool.get_program()).parent().unwrap();
        let home = std::env::home_dir().unwrap();
        let mut command = Command::new("sh");
        for (name, value) in tool.get_envs() {
            command.env(name, value.unwrap());
        }
        // Cargo's own things are in the home directory, unless it is told.
        for (name, place) in [("CARGO_HOME", ".cargo"), ("RUSTUP_HOME", ".rustup")] {
            if std::env::var_os(name).is_none() {
                command.env(name, home.join(place));
            }
        }
        command.env("PATH", format!("{}:{}", directory.display(), std::env::var("PATH").unwrap()));
        command.env("IMITATE_DIR", self.place.path("traces")).env("HOME", self.place.path(""));
        command.current_dir(&self.directory).stdin(Stdio::null());
        // What is said on either is what a user sees.
        let script = format!("(exit {}); {{ {line}\n}} 2>&1", self.status);
        let output = command.arg("-c").arg(script).output().unwrap();
        self.status = output.status.code().unwrap();
        text(&output.stdout)
    }
}
