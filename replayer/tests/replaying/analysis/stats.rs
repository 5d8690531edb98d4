//! `stats`.

use super::{ask, record_script, rows};
use crate::Place;
use serde_json::Value;

const SCRIPT: &str = "
import os, subprocess, threading
def work():
    with open('made', 'wb') as file:
        file.write(bytes(70000))
thread = threading.Thread(target=work)
thread.start()
thread.join()
os.rename('made', 'moved')
read, write = os.pipe()
os.write(write, b'x' * 300)
os.close(write)
subprocess.run(['cat'], stdin=read)
for _ in range(3):
    try:
        os.open('nowhere', 0)
    except OSError:
        pass
";

#[test]
fn counts_are_by_call_thread_and_object() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let stats = rows(&place, &["stats", "--json"]).remove(0);
    let object = |end: &str| {
        let objects = stats["by_object"].as_array().unwrap();
        objects.iter().find(|row| row["name"].as_str().unwrap().ends_with(end)).unwrap_or(&Value::Null)
    };
    assert_eq!(object("/work/moved")["written_bytes"], 70_000);
    assert_eq!(object("/work/moved")["opened"], 1);
    assert_eq!(object("/work/nowhere")["errors"], 3);
    // Written by one process, read by another.
    let pipe = object("pipe 1");
    assert_eq!((&pipe["read_bytes"], &pipe["written_bytes"]), (&300.into(), &300.into()));
    assert_eq!(object("stdout")["written_bytes"], 300);
    let threads = stats["by_thread"].as_array().unwrap();
    assert_eq!(threads.len(), 3);
    assert_eq!(threads[1]["written_bytes"], 70_000);
    assert_eq!((&threads[2]["name"], &threads[2]["read_bytes"]), (&"cat".into(), &stats_of_cat(threads)));
    for key in ["count", "errors", "read_bytes", "stream_bytes"] {
        let sum: u64 = threads.iter().map(|row| row[key].as_u64().unwrap()).sum();
        assert_eq!(stats["total"][key], sum, "{key}");
    }
    assert!(ask(&place, &["stats", "--by", "thread"]).0.contains("cat"));
    let objects = ask(&place, &["stats", "--by", "object", "-n", "1"]).0;
    assert_eq!(objects.lines().count(), 4, "a header, one row, an empty line, sizes:\n{objects}");
}

/// It reads what it was given, and libraries before.
fn stats_of_cat(threads: &[Value]) -> Value {
    let read = threads[2]["read_bytes"].clone();
    assert!(read.as_u64().unwrap() >= 300);
    read
}

#[test]
fn a_walk_back_up_has_the_names_of_where_it_is() {
    let place = Place::new();
    record_script(
        &place,
        "
import os
open('file', 'w').write('content')
os.mkdir('inner')
os.symlink('inner', 'link')
plain = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
up = os.open('..', plain, dir_fd=os.open('inner', plain))
os.read(os.open('file', os.O_RDONLY, dir_fd=up), 100)
linked = os.open('link', os.O_RDONLY)
os.open('..', plain, dir_fd=linked)
",
    );
    let stats = rows(&place, &["stats", "--json"]).remove(0);
    let names: Vec<&str> =
        stats["by_object"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    let ends = |end: &str| names.iter().filter(|name| name.ends_with(end)).count();
    assert_eq!(ends("inner/.."), 0, "{names:?}");
    // Where a link led to its name does not say.
    assert_eq!(ends("/link/.."), 1, "{names:?}");
    assert_eq!(ends("/work/file"), 1, "{names:?}");
}
