//! `dump` and `stats`.

use crate::{Tool, synthetic};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn with_trace(complete: bool) -> Tool {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", complete);
    tool
}

#[test]
fn a_dump_reads_like_strace() {
    let dump = with_trace(true).prints(&["dump"]);
    let lines: Vec<_> = dump.lines().collect();
    assert_eq!(lines.len() as u64, synthetic::EVENTS, "{dump}");
    for (line, words) in lines.iter().zip([
        &["start", "/bin/reader"][..],
        &["openat(AT_FDCWD, \"/etc/passwd\", O_RDONLY", ") = 3"],
        &["read(3, \"root:x:0:0\\n\", 4096) = 11"],
        &["close(77) = -1 EBADF"],
        &["clock_gettime", "1700000000.123456789"],
        &["rdtsc", "0x500001234"],
        &["SIGALRM"],
        &["exit_group(3)"],
    ]) {
        assert!(line.starts_with(&format!("[{}]", synthetic::PROCESS)), "{line}");
        for word in words {
            assert!(line.contains(word), "{word} is not in {line}\n{dump}");
        }
    }
}

#[test]
fn a_dump_as_json_has_one_object_a_line() {
    let dump = with_trace(true).prints(&["dump", "reader-1", "--json"]);
    let events: Vec<Value> = dump.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.len() as u64, synthetic::EVENTS);
    // Members are in the order of their names, as a `Value` has them, each once.
    assert_eq!(dump, events.iter().map(|event| format!("{event}\n")).collect::<String>());
    for (number, event) in events.iter().enumerate() {
        assert_eq!(event["event"], number);
        assert_eq!(event["stream"], 0);
        assert_eq!(event["process"], synthetic::PROCESS);
    }
    assert_eq!(events[1]["kind"], "call");
    assert_eq!(events[1]["name"], "openat");
    assert_eq!(events[1]["arguments"][1], 0x1000);
    assert_eq!(events[1]["result"], 3);
    assert_eq!(events[3]["result"], -9);
    assert_eq!(events[4]["seconds"], 1_700_000_000);
    assert_eq!(events[6]["name"], "SIGALRM");
}

#[test]
fn one_stream_can_be_asked_for() {
    let tool = with_trace(true);
    assert_eq!(tool.prints(&["dump", "--stream", "0"]), tool.prints(&["dump"]));
    tool.run(&["dump", "--stream", "5"]).assert().code(125).stderr(contains("stream 5"));
}

#[test]
fn a_trace_that_was_cut_is_dumped_up_to_there() {
    let tool = with_trace(false);
    let dump = tool.run(&["dump"]).assert().success().stderr(contains("ends early"));
    let text = String::from_utf8(dump.get_output().stdout.clone()).unwrap();
    assert_eq!(text.lines().count() as u64, synthetic::EVENTS - 1, "{text}");
    assert!(!text.contains("exit_group"));
}

#[test]
fn a_dump_ends_quietly_when_its_reader_has_enough() {
    let tool = with_trace(true);
    // The pipe's reading end is closed before the tool starts.
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_imitate"));
    let child = command.arg("dump").env("IMITATE_DIR", tool.storage.path()).stdout(writer);
    let output = child.stderr(std::process::Stdio::piped()).spawn().unwrap().wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn damage_is_named_with_its_place() {
    let tool = Tool::new();
    let trace = synthetic::trace(tool.storage.path(), "/bin/reader", true);
    let path = trace.join("events");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[60] ^= 1;
    std::fs::write(&path, bytes).unwrap();
    let failed = tool.run(&["dump"]).assert().code(125);
    failed.stderr(contains("events is damaged").and(contains("at byte")));
}

#[test]
fn stats_count_calls_errors_and_bytes() {
    let tool = with_trace(true);
    let table = tool.prints(&["stats"]);
    for word in ["openat", "read", "close", "exit_group", "total", "(rdtsc)", "compressed"] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    let stats: Value = serde_json::from_str(&tool.prints(&["stats", "--json"])).unwrap();
    assert_eq!(stats["streams"], 1);
    assert_eq!(stats["total"]["count"], synthetic::EVENTS);
    assert_eq!(stats["total"]["errors"], 1);
    assert_eq!(stats["by_sort"]["close"]["errors"], 1);
    assert_eq!(stats["by_sort"]["read"]["returned_bytes"], synthetic::CONTENTS.len());
    assert_eq!(stats["by_sort"]["read"]["referenced_bytes"], 0);
}

#[test]
fn ps_says_what_ran_and_how_it_ended() {
    let table = with_trace(true).prints(&["ps"]);
    for word in ["4711 reader", "exit 3", "STREAM"] {
        assert!(table.contains(word), "{word} is not in:\n{table}");
    }
    let tool = with_trace(true);
    let row: Value = serde_json::from_str(&tool.prints(&["ps", "--json"])).unwrap();
    assert_eq!((&row["stream"], &row["creator"], &row["kind"]), (&0.into(), &Value::Null, &"process".into()));
    assert_eq!((&row["thread"], &row["events"]), (&synthetic::PROCESS.into(), &synthetic::EVENTS.into()));
    assert_eq!(row["images"][0]["executable"], "/bin/reader");
}

#[test]
fn ps_shows_what_there_is_of_a_trace_that_was_cut() {
    let tool = with_trace(false);
    let shown = tool.run(&["ps"]).assert().success().stderr(contains("ends early"));
    shown.stdout(contains("4711 reader"));
}

#[test]
fn one_thread_interleaves_to_itself() {
    let tool = with_trace(true);
    assert_eq!(tool.prints(&["dump", "--interleave"]), tool.prints(&["dump"]));
}
