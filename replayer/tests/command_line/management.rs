//! `ls` and `rm`.

use crate::{Tool, synthetic};
use predicates::prelude::*;
use predicates::str::contains;
use serde_json::Value;

fn listed(tool: &Tool) -> Vec<Value> {
    tool.prints(&["ls", "--json"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn names(tool: &Tool) -> Vec<String> {
    listed(tool).iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_empty_storage_directory_lists_nothing() {
    let tool = Tool::new();
    assert!(tool.prints(&["ls"]).contains("imitate record"));
    assert_eq!(tool.prints(&["ls", "--json"]), "");
}

#[test]
fn the_list_says_what_each_trace_is() {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", true);
    synthetic::trace(tool.storage.path(), "/bin/reader", false);
    let table = tool.prints(&["ls"]);
    let lines: Vec<_> = table.lines().collect();
    assert_eq!(lines.len(), 3, "{table}");
    for (line, words) in lines.iter().zip([
        ["NAME", "COMMAND", "ENDED"],
        ["reader-1", "/bin/reader two words", "exit 3"],
        ["reader-2", "/bin/reader two words", "the recorder was killed"],
    ]) {
        for word in words {
            assert!(line.contains(word), "{word} is not in:\n{table}");
        }
    }
    let rows = listed(&tool);
    assert_eq!(rows[0]["ended"], "exit 3");
    assert_eq!(rows[0]["complete"], true);
    assert_eq!(rows[0]["events"], synthetic::EVENTS);
    assert_eq!(rows[1]["complete"], false);
    assert_eq!(rows[1]["events"], Value::Null);
    assert!(rows[0]["began"].as_u64().unwrap() <= rows[1]["began"].as_u64().unwrap());
}

#[test]
fn a_damaged_manifest_is_listed_with_the_reason() {
    let tool = Tool::new();
    let trace = synthetic::trace(tool.storage.path(), "/bin/reader", true);
    std::fs::write(trace.join("manifest.json"), "{").unwrap();
    assert!(tool.prints(&["ls"]).contains("manifest.json is damaged"));
}

#[test]
fn traces_are_removed_by_name_and_by_path() {
    let tool = Tool::new();
    let storage = tool.storage.path();
    let _first = synthetic::trace(storage, "/bin/reader", true);
    let second = synthetic::trace(storage, "/bin/reader", true);
    let _third = synthetic::trace(storage, "/bin/reader", true);
    tool.run(&["rm", "reader-1", second.to_str().unwrap()]).assert().success().stdout("").stderr("");
    assert_eq!(names(&tool), ["reader-3"]);
}

#[test]
fn what_cannot_be_removed_is_told_and_the_rest_is_removed() {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", true);
    let other = tool.storage.path().join("precious");
    std::fs::create_dir(&other).unwrap();
    std::fs::write(other.join("thesis.tex"), "text").unwrap();
    let failed = tool.run(&["rm", "precious", "reader-1"]).assert().code(125);
    failed.stderr(contains("precious").and(contains("1 of the traces could not be removed")));
    assert!(other.join("thesis.tex").exists());
    assert!(names(&tool).is_empty());
}

#[test]
fn all_traces_are_removed_only_when_confirmed() {
    let tool = Tool::new();
    synthetic::trace(tool.storage.path(), "/bin/reader", true);
    synthetic::trace(tool.storage.path(), "/bin/other", true);
    tool.run(&["rm", "--all"]).assert().code(125).stderr(contains("--yes"));
    assert_eq!(names(&tool).len(), 2);
    tool.run(&["rm", "--all", "--yes"]).assert().success().stderr("");
    assert!(names(&tool).is_empty());
}
