//! The compilers that are known, and what each has to be told.

use crate::arguments::Accesses;
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A family of compilers with the same options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compiler {
    /// gcc, g++.
    Gcc,
    /// clang, clang++.
    Clang,
    /// rustc.
    Rust,
}

/// What gcc's compiler proper is told. The driver is not, since it would link ThreadSanitizer: so says a specs file
/// (gcc's manual, 3.20), which links the stand-in behind the last object, too.
const GCC: &str =
    "-fsanitize=thread --param=tsan-distinguish-volatile=1 --param=tsan-instrument-func-entry-exit=0";
/// What clang's is told, by way of its driver, and for the same reason not by the driver's own option.
const CLANG: [&str; 7] = [
    "-Xclang",
    "-fsanitize=thread",
    "-mllvm",
    "-tsan-distinguish-volatile=1",
    "-mllvm",
    "-tsan-instrument-func-entry-exit=0",
    // Compiling does not use what is for linking, and the other way round.
    "-Wno-unused-command-line-argument",
];
/// rustc's option is one of its unstable ones; the standard library, which is compiled without it, is to be accepted.
const RUST: [&str; 4] = [
    "-Zsanitizer=thread",
    "-Zexternal-clangrt",
    "-Cunsafe-allow-abi-mismatch=sanitizer",
    "-Cllvm-args=-tsan-instrument-func-entry-exit=0",
];
/// Rust has no volatile variables that threads share by right.
const RUST_ATOMICS: &str = "-Cllvm-args=-tsan-instrument-memory-accesses=0";

impl Compiler {
    /// Which one a program is, by its name, or, if that is what compilers in general are called, by what it says of itself.
    pub fn of(program: &OsStr) -> Result<Compiler> {
        let name = Path::new(program).file_name().unwrap_or(program).to_string_lossy();
        let said = match &*name {
            "cc" | "c++" => {
                Command::new(program)
                    .arg("--version")
                    .output()
                    .with_context(|| format!("cannot run {}", program.display()))?
                    .stdout
            }
            _ => Vec::new(),
        };
        let known = Compiler::named(&name);
        known.or_else(|| Compiler::describing_itself(&String::from_utf8_lossy(&said))).with_context(|| {
            format!(
                "{} is no compiler that imitate cc knows: gcc, g++, clang, clang++, rustc",
                program.display()
            )
        })
    }

    /// By a name such as `x86_64-linux-gnu-g++-12`.
    fn named(name: &str) -> Option<Compiler> {
        let is = |known: &str| {
            name.split('-')
                .any(|part| part.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.') == known)
        };
        match name {
            _ if is("clang") || is("clang++") => Some(Compiler::Clang),
            _ if is("gcc") || is("g++") => Some(Compiler::Gcc),
            _ if is("rustc") => Some(Compiler::Rust),
            _ => None,
        }
    }

    /// By what it prints for `--version`.
    fn describing_itself(said: &str) -> Option<Compiler> {
        match said {
            _ if said.contains("clang") => Some(Compiler::Clang),
            _ if said.contains("Free Software Foundation") => Some(Compiler::Gcc),
            _ => None,
        }
    }

    /// Whether that argument asks for something else of the same part of the compiler.
    pub fn is_in_the_way(self, argument: &OsStr) -> bool {
        let argument = argument.to_string_lossy();
        match self {
            Compiler::Rust => argument.starts_with("-Zsanitizer"),
            _ => argument.starts_with("-fsanitize=") || argument == "-flto" || argument.starts_with("-flto="),
        }
    }

    /// The command that compiles, or links, or both. The stand-in's directory is for what else it needs.
    pub fn command(
        self,
        program: &OsStr,
        arguments: &[OsString],
        mode: Accesses,
        stand_in: &Path,
    ) -> Result<Command> {
        let mut command = Command::new(program);
        command.args(arguments);
        match self {
            Compiler::Gcc => {
                let specs = stand_in.with_extension("specs");
                let object = stand_in.to_str().filter(|path| !path.contains(char::is_whitespace));
                let Some(object) = object else {
                    bail!(
                        "gcc does not take a path with spaces from {}: set TMPDIR to another one",
                        specs.display()
                    );
                };
                fs::write(&specs, format!("*cc1_options:\n+ {GCC}\n\n*endfile:\n+ {object}\n\n"))
                    .with_context(|| format!("cannot write {}", specs.display()))?;
                command.arg(joined("-specs=", &specs));
            }
            Compiler::Clang => {
                command.args(CLANG);
                // Else it would be taken for the only input.
                if has_input(arguments) {
                    command.arg(joined("-Wl,", stand_in));
                }
            }
            Compiler::Rust => {
                command.args(RUST).arg(joined("-Clink-arg=", stand_in));
                if mode == Accesses::Atomics {
                    command.arg(RUST_ATOMICS);
                }
                // A stable rustc has these options too, for those who ask like this.
                command.env("RUSTC_BOOTSTRAP", "1");
            }
        }
        Ok(command)
    }
}

fn joined(option: &str, path: &Path) -> OsString {
    let mut argument = OsString::from(option);
    argument.push(path);
    argument
}

/// Whether there is anything to compile or link.
fn has_input(arguments: &[OsString]) -> bool {
    let is_option = |argument: &OsString| argument.as_encoded_bytes().starts_with(b"-");
    let first = arguments.first().is_some_and(|first| !is_option(first));
    first || arguments.windows(2).any(|pair| pair[0] != "-o" && !is_option(&pair[1]))
}

/// What a C compiler's arguments say about where its output goes.
pub fn output(arguments: &[OsString]) -> PathBuf {
    let mut named = None;
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        if argument == "-o" {
            named = rest.next().cloned();
        } else if let Some(path) = argument.to_str().and_then(|argument| argument.strip_prefix("-o")) {
            named = Some(path.into());
        }
    }
    named.unwrap_or_else(|| "a.out".into()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compilers_are_known_by_their_names() {
        for (name, known) in [
            ("gcc", Some(Compiler::Gcc)),
            ("x86_64-linux-gnu-g++-12", Some(Compiler::Gcc)),
            ("gcc12.2", Some(Compiler::Gcc)),
            ("clang", Some(Compiler::Clang)),
            ("clang++-14", Some(Compiler::Clang)),
            ("rustc", Some(Compiler::Rust)),
            ("cc", None),
            ("tcc", None),
        ] {
            assert_eq!(Compiler::named(name), known, "{name}");
        }
    }

    #[test]
    fn others_are_asked() {
        let gcc = "cc (Debian 12.2.0-14) 12.2.0\nCopyright (C) 2022 Free Software Foundation, Inc.\n";
        assert_eq!(Compiler::describing_itself(gcc), Some(Compiler::Gcc));
        assert_eq!(Compiler::describing_itself("Debian clang version 14.0.6\n"), Some(Compiler::Clang));
        assert_eq!(Compiler::describing_itself("tcc version 0.9.27\n"), None);
    }

    #[test]
    fn inputs_are_told_from_options() {
        let has = |words: &str| has_input(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert!(has("x.c") && has("-O2 x.c") && has("x.o -o x"));
        assert!(!has("-v") && !has("-o x") && !has("--version"));
    }

    #[test]
    fn outputs_are_found() {
        let output = |words: &str| output(&words.split(' ').map(OsString::from).collect::<Vec<_>>());
        assert_eq!(output("-O2 x.c -o x -lm"), Path::new("x"));
        assert_eq!(output("-O2 x.c -ox"), Path::new("x"));
        assert_eq!(output("-O2 x.c"), Path::new("a.out"));
    }
}
