//! Help, errors, man pages, completions, doctor.

use crate::Tool;
use predicates::prelude::*;
use predicates::str::{contains, is_empty};
use tempfile::TempDir;

const SUBCOMMANDS: [&str; 13] = [
    "record",
    "replay",
    "ls",
    "rm",
    "dump",
    "stats",
    "ps",
    "extract",
    "verify",
    "hunt",
    "cc",
    "doctor",
    "completions",
];

/// imitate itself failed.
const FAILED: i32 = 125;

#[test]
fn help_names_every_subcommand_and_exit_status() {
    let help = Tool::new().prints(&["--help"]);
    for word in SUBCOMMANDS.iter().chain(&["124", "125", "126", "127", "IMITATE_DIR"]) {
        assert!(help.contains(word), "{word} is not in:\n{help}");
    }
    assert!(!help.contains("replay-exec"), "what users need not know is hidden:\n{help}");
}

#[test]
fn every_subcommand_explains_itself() {
    let tool = Tool::new();
    for subcommand in SUBCOMMANDS {
        tool.run(&[subcommand, "--help"]).assert().success().stdout(contains("Usage: imitate")).stderr("");
    }
}

#[test]
fn bad_usage_is_the_tools_failure_and_not_a_programs_status() {
    let tool = Tool::new();
    for (arguments, message) in [
        (&[][..], "Usage: imitate"),
        (&["recrod"], "'record'"),
        (&["record"], "<COMMAND>"),
        (&["replay", "--quite"], "'--quiet'"),
        (&["record", "--compression", "77", "--", "date"], "77"),
        (&["record", "--check", "none", "--", "date"], "full"),
        (&["verify", "-n", "0", "--", "date"], "0"),
        (&["record", "--chaos=0", "--", "date"], "0"),
        (&["record", "--chaos=often", "--", "date"], "often"),
        (&["hunt", "--until", "rain", "--", "date"], "exit!=K"),
        (&["hunt", "--chaos", "--no-chaos", "--", "date"], "--no-chaos"),
        (&["hunt", "-n", "3"], "<COMMAND>"),
        (&["rm"], "<TRACE>"),
        // An option that is not known is no program.
        (&["record", "--quite", "--", "date"], "'--quite'"),
        (&["record", "-z", "date"], "'-z'"),
        (&["hunt", "-q", "--", "date"], "'-q'"),
        (&["verify", "-q", "--", "date"], "'-q'"),
        (&["cc", "-q", "--", "gcc", "program.c"], "'-q'"),
    ] {
        tool.run(arguments).assert().code(FAILED).stdout(is_empty()).stderr(contains(message));
    }
}

#[test]
fn a_trace_that_is_not_there_is_named() {
    let tool = Tool::new();
    for subcommand in ["replay", "dump", "stats", "extract", "rm"] {
        let failed = tool.run(&[subcommand, "date-7"]).assert().code(FAILED).stdout(is_empty());
        failed.stderr(contains("date-7").and(contains("imitate ls")));
        let failed = tool.run(&[subcommand, "./no/where"]).assert().code(FAILED).stdout(is_empty());
        failed.stderr(contains("./no/where"));
    }
    for subcommand in ["replay", "dump", "stats", "extract"] {
        tool.run(&[subcommand]).assert().code(FAILED).stderr(contains("no trace"));
    }
}

#[test]
fn there_is_a_man_page_for_every_subcommand() {
    let place = TempDir::new().unwrap();
    let pages = place.path().join("pages");
    Tool::new().run(&["man", "--out"]).arg(&pages).assert().success();
    let main = std::fs::read_to_string(pages.join("imitate.1")).unwrap();
    assert!(main.contains("124"), "the page does not explain the exit statuses");
    for subcommand in SUBCOMMANDS {
        let page = std::fs::read_to_string(pages.join(format!("imitate-{subcommand}.1"))).unwrap();
        assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{subcommand}: {page}");
    }
    assert!(!pages.join("imitate-replay-exec.1").exists());
}

#[test]
fn completions_know_the_subcommands() {
    for shell in ["bash", "zsh", "fish"] {
        let script = Tool::new().prints(&["completions", shell]);
        for subcommand in SUBCOMMANDS {
            assert!(script.contains(subcommand), "{shell} does not know {subcommand}");
        }
    }
}

#[test]
fn doctor_reports_what_recording_needs() {
    let tool = Tool::new();
    let report = tool.run(&["doctor"]).assert().stderr("");
    let text = String::from_utf8(report.get_output().stdout.clone()).unwrap();
    for check in ["kernel", "system call dispatch", "fixed addresses", "shared memory", "storage", "gdb"] {
        assert!(text.contains(check), "{check} is not in:\n{text}");
    }
    let works = !text.contains("FAILED");
    report.code(if works { 0 } else { 1 });
}
