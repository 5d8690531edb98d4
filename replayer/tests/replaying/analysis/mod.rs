//! What traces of real programs tell.

mod difference;
mod export;
mod extract;
mod hostile;
mod locks;
mod questions;
mod races;
mod stats;
mod timeline;

use crate::debugger::compile;
use crate::{Place, imitate, text};
use serde_json::Value;

/// Records a Python script, which is started in `place` and must succeed.
fn record_script(place: &Place, script: &str) {
    std::fs::create_dir(place.path("work")).unwrap();
    std::fs::write(place.path("script.py"), script).unwrap();
    let mut command = imitate();
    command.arg("record").arg("--output").arg(place.trace()).args(["--", "/usr/bin/python3"]);
    let output = command.arg(place.path("script.py")).current_dir(place.path("work")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
}

/// Compiles a C program of threads, with debug information, and records it in `place`.
fn record_program(place: &Place, source: &str, options: &[&str], arguments: &[&str], status: i32) {
    let program = compile(place, "program", source, &["-pthread"]);
    let recorded = place.record_with(options, &[&[program.as_str()], arguments].concat());
    assert_eq!(recorded.status.code(), Some(status), "{arguments:?}: {}", text(&recorded.stderr));
}

/// What a subcommand says about the trace in `place`: stdout and stderr. It must succeed.
fn ask(place: &Place, arguments: &[&str]) -> (String, String) {
    let output = imitate().args(arguments).arg(place.trace()).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", text(&output.stderr));
    (text(&output.stdout), text(&output.stderr))
}

/// The lines of JSON that it prints.
fn rows(place: &Place, arguments: &[&str]) -> Vec<Value> {
    ask(place, arguments).0.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
