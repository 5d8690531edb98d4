//! `extract`.

use super::{ask, record_script, rows};
use crate::{FAILED, Place, altered, imitate, text};
use std::fs;
use std::path::{Path, PathBuf};
use tracer_core::trace::manifest::Manifest;

const SCRIPT: &str = "
import os, socket, subprocess, threading
with open('a', 'wb', buffering=0) as file:
    file.write(os.urandom(40000))
    file.write(os.urandom(60000))
    file.seek(5000)
    file.write(b'overwritten, more than thirty-two bytes')
    file.truncate(90000)
    os.pwrite(file.fileno(), os.urandom(100), 95000)
os.rename('a', 'b')
with open('log', 'ab') as file:
    file.write(b'first ' * 20)
# Both write to one open file, one after the other.
with open('shared', 'wb', buffering=0) as file:
    file.write(b'parent before ' * 5)
    subprocess.run(['sh', '-c', 'printf \"%0100d\" 7; printf child'], stdout=file)
    file.write(b'parent after ' * 5)
one, two = socket.socketpair()
def answer():
    two.sendall(two.recv(1000).upper())
thread = threading.Thread(target=answer)
thread.start()
one.sendmsg([b'to be ', b'answered '] * 10)
assert one.recv(1000) == b'TO BE ANSWERED ' * 10
thread.join()
";

/// Extracts all with more options.
fn extract(place: &Place, options: &[&str]) -> (PathBuf, String) {
    let target = place.path("extracted");
    let _ = fs::remove_dir_all(&target);
    let arguments = [&["extract", "--output", target.to_str().unwrap()], options].concat();
    let (_, said) = ask(place, &arguments);
    (target, said)
}

/// The file with this way and name.
fn content(target: &Path, end: &str) -> Vec<u8> {
    let mut entries = fs::read_dir(target).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.find(|path| path.to_str().unwrap().ends_with(end));
    fs::read(found.unwrap_or_else(|| panic!("{end} was not extracted"))).unwrap()
}

#[test]
fn what_was_written_is_rebuilt_by_a_replay() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let (target, said) = extract(&place, &["--replay"]);
    let real = |name: &str| fs::read(place.path("work").join(name)).unwrap();
    assert_eq!(real("b").len(), 95_100);
    assert!(content(&target, ".written.b") == real("b"), "a file with holes, overwritten, cut and renamed");
    assert_eq!(text(&content(&target, ".written.log")), text(&real("log")));
    assert_eq!(text(&content(&target, ".written.shared")), text(&real("shared")));
    // What one end was sent, the other has read whole.
    assert_eq!(text(&content(&target, "pair_2_a").to_ascii_uppercase()), "TO BE ANSWERED ".repeat(10));
    assert_eq!(text(&content(&target, ".written.Unix_stream_pair_2_b")), "TO BE ANSWERED ".repeat(10));
    assert_eq!(said, "");
}

#[test]
fn without_a_replay_it_says_what_is_missing_and_runs_nothing() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let (target, said) = extract(&place, &["--select", "/work/b"]);
    assert!(said.contains("--replay") && said.contains("are missing"), "{said}");
    let real = fs::read(place.path("work/b")).unwrap();
    let known = content(&target, ".written.b");
    assert_eq!((known.len(), &known[..32]), (real.len(), &real[..32]));
    assert!(known[32..5000].iter().all(|byte| *byte == 0));
    let index: serde_json::Value =
        serde_json::from_slice(&fs::read(target.join("index.json")).unwrap()).unwrap();
    let part = &index[0]["written"];
    // The rest of each piece, as far as it was not cut off or written over.
    assert_eq!(part["missing"][0], serde_json::json!([32, 5000]));
    assert_eq!(part["holes"], serde_json::json!([[90_000, 95_000]]));
    let rows = rows(&place, &["extract", "--json", "--select", "/work/b"]);
    assert_eq!((rows.len(), &rows[0]["written"]["bytes"]), (1, &100_000.into()));
    assert_eq!(fs::read_dir(&target).unwrap().count(), 2);
}

#[test]
fn an_earlier_state_is_rebuilt() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let dump = rows(&place, &["dump", "--json"]);
    let second = dump.iter().find(|event| event["name"] == "write" && event["result"] == 60_000).unwrap();
    let place_of = |back: u64| format!("{}:{}", second["stream"], second["event"].as_u64().unwrap() - back);
    for (until, length) in [(place_of(0), 100_000), (place_of(1), 40_000)] {
        let arguments =
            ["extract", "--stdout", "--written", "--replay", "--select", "/work/a", "--until", &until];
        let output = imitate().args(arguments).arg(place.trace()).output().unwrap();
        assert_eq!((text(&output.stderr), output.stdout.len()), (String::new(), length));
        let real = fs::read(place.path("work/b")).unwrap();
        assert!(output.stdout[..5000] == real[..5000] && output.stdout[6000..40_000] == real[6000..40_000]);
    }
    let mut failed = imitate();
    failed.args(["extract", "--until", "0:999999", "--output"]).arg(place.path("none"));
    let failed = failed.arg(place.trace()).output().unwrap();
    assert!(text(&failed.stderr).contains("no event 0:999999"), "{}", text(&failed.stderr));
}

#[test]
fn what_nobody_has_is_named() {
    let place = Place::new();
    let script = "
import os
source = os.open('source', os.O_RDWR | os.O_CREAT)
os.write(source, b'moved by the kernel, past the program')
target = os.open('target', os.O_RDWR | os.O_CREAT)
assert os.copy_file_range(source, target, 20, 0) == 20
os.pwrite(target, b'written', 30)
";
    record_script(&place, script);
    let (target, said) = extract(&place, &["--replay", "--select", "/work/target"]);
    assert!(said.contains("20 B in 1 file are missing") && said.contains("copy_file_range"), "{said}");
    assert_eq!(content(&target, ".written.target"), [&[0; 30][..], b"written"].concat());
}

/// Extracts all from a trace whose replay fails; gives what was extracted, and what it said.
fn extract_in_vain(place: &Place) -> (PathBuf, String) {
    let target = place.path("extracted");
    let mut command = imitate();
    command.args(["extract", "--replay", "--output"]).arg(&target).arg(place.trace());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), FAILED);
    (target, text(&output.stderr))
}

#[test]
fn a_replay_that_fails_is_told_and_leaves_what_there_is() {
    let script = "
import os
for name in 'early', 'later':
    file = os.open(name, os.O_WRONLY | os.O_CREAT)
    os.write(file, name.encode() * 100)
";
    let place = Place::new();
    record_script(&place, script);
    altered::replace_in_calls(&place.trace(), "later", "never");
    let (target, said) = extract_in_vain(&place);
    let expected =
        "lacks what only a replay has, because that failed:\nimitate: the replay diverged from the recording";
    assert!(said.contains(expected) && said.contains("in 1 file are missing"), "{said}");
    assert_eq!(text(&content(&target, ".written.early")), "early".repeat(100));
    let known = content(&target, ".written.never");
    assert_eq!((known.len(), known[32..].iter().all(|byte| *byte == 0)), (500, true));
    assert!(target.join("index.json").exists());
}

#[test]
fn a_replay_that_cannot_begin_is_told_and_leaves_what_there_is() {
    let place = Place::new();
    record_script(&place, "open('file', 'w').write('known by its first bytes, ' * 10)");
    let mut manifest = Manifest::load(&place.trace()).unwrap();
    for object in &mut manifest.objects {
        (object.build_id, object.size) = ("1234".into(), 1);
    }
    manifest.store(&place.trace()).unwrap();
    let (target, said) = extract_in_vain(&place);
    assert!(said.contains("because that failed:\nthis trace cannot be replayed here"), "{said}");
    assert!(text(&content(&target, ".written.file")).starts_with("known by its first bytes"));
}
