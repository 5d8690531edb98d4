//! `audit` and `grep`.

use super::{ask, record_script, rows};
use crate::{Place, imitate, text};
use serde_json::Value;

const SCRIPT: &str = "
import ctypes, mmap, os, socket, subprocess, threading
with open('new', 'w') as file:
    file.write('a needle in a haystack, and more hay than is kept: the second needle is not in the trace')
os.rename('new', 'newer')
os.mkdir('directory')
os.unlink('newer')
try:
    os.open('/no/such/file', os.O_WRONLY)
except OSError:
    pass
server = socket.create_server(('127.0.0.1', 0))
client = socket.create_connection(server.getsockname())
served, peer = server.accept()
served.sendall(b'NEEDLE in a socket')
client.recv(100)
mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_EXEC)
ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
subprocess.run(['sh', '-c', 'exec cat'], input=b'a needle in a pipe\\n', stdout=subprocess.DEVNULL)
";

#[test]
fn an_audit_lists_what_matters_in_order() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let work = place.path("work");
    let findings = rows(&place, &["audit", "--json"]);
    let at = |action: &str, subject: &str| {
        let fits =
            |row: &Value| row["action"] == action && row["subject"].as_str().unwrap().contains(subject);
        let found = findings.iter().position(fits);
        found.unwrap_or_else(|| panic!("no {action} {subject} in {findings:#?}"))
    };
    let order = [
        at("execute", "python3"),
        at("create", work.join("new").to_str().unwrap()),
        at("rename", work.join("new").to_str().unwrap()),
        at("make dir", "directory"),
        at("delete", work.join("newer").to_str().unwrap()),
        at("bind", "127.0.0.1:0"),
        at("connect", "127.0.0.1:"),
        at("accept", "127.0.0.1:"),
        at("map code", "anonymous"),
        at("prctl", "PR_SET_NO_NEW_PRIVS"),
        at("execute", "dash"),
        at("execute", "cat"),
    ];
    assert!(order.is_sorted(), "{order:?}");
    let shell = &findings[order[10]];
    assert!(shell["details"].as_str().unwrap().contains("build id"), "{shell}");
    assert_ne!(shell["process"], findings[0]["process"]);
    assert!(findings.iter().all(|row| row["error"].is_null() && row["topic"] != "reads"));
    let failed = rows(&place, &["audit", "--json", "--failed", "--only", "files"]);
    assert!(failed.iter().any(|row| row["subject"] == "/no/such/file" && row["error"] == "ENOENT"));
    assert!(failed.iter().all(|row| row["topic"] == "files"));
    let (shown, _) = ask(&place, &["audit", "--only", "network,privileges"]);
    assert!(shown.contains("accept") && shown.contains("PR_SET_NO_NEW_PRIVS") && !shown.contains("rename"));
}

#[test]
fn grep_finds_what_was_read_and_written() {
    let place = Place::new();
    record_script(&place, SCRIPT);
    let arguments = ["grep", "needle|NEEDLE", "--json"];
    let output = imitate().args(arguments).arg(place.trace()).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stderr).contains("extract --replay"), "{}", text(&output.stderr));
    let finds: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |object: &str, call: &str| -> Vec<&Value> {
        let fits = |find: &&Value| find["object"].as_str().unwrap().contains(object) && find["call"] == call;
        finds.iter().filter(fits).collect()
    };
    // Only the beginning of it is in the trace.
    assert_eq!(of("/work/new", "write").iter().map(|find| &find["offset"]).collect::<Vec<_>>(), [2]);
    assert_eq!(of("from 127.0.0.1", "sendto")[0]["found"], "NEEDLE");
    assert_eq!(of("to 127.0.0.1", "recvfrom")[0]["direction"], "read");
    assert_eq!(of("pipe", "read").len(), 1);
    assert!(of("script.py", "read").len() >= 4);
    assert!(of("script.py", "read").iter().any(|find| find["offset"] == SCRIPT.find("needle").unwrap()));
    let nothing = imitate().args(["grep", "-F", "n[aeiou]+dle"]).arg(place.trace()).output().unwrap();
    assert_eq!((nothing.status.code(), text(&nothing.stdout)), (Some(1), String::new()));
    let wrong = imitate().args(["grep", "("]).arg(place.trace()).output().unwrap();
    assert_eq!(wrong.status.code(), Some(125));
}

/// The reader is waited for before the writer, and two processes ask and answer in turns.
const PIPES: &str = "
import subprocess
PIPE = subprocess.PIPE
writer = subprocess.Popen(['sh', '-c', 'echo a needle'], stdout=PIPE)
reader = subprocess.Popen(['cat'], stdin=writer.stdout, stdout=open('copy', 'w'))
reader.wait()
writer.wait()
cat = subprocess.Popen(['cat'], stdin=PIPE, stdout=PIPE)
for turn in (b'1', b'2', b'3'):
    cat.stdin.write(b'needle ' + turn + b'\\n')
    cat.stdin.flush()
    cat.stdout.readline()
cat.stdin.close()
cat.wait()
";

#[test]
fn what_is_read_from_a_pipe_was_written_before() {
    let place = Place::new();
    record_script(&place, PIPES);
    let finds = rows(&place, &["grep", "--json", "a needle|needle [123]"]);
    let shown: Vec<String> = finds
        .iter()
        .filter(|find| find["object"].as_str().unwrap().starts_with("pipe"))
        .map(|find| format!("{} {}", find["call"].as_str().unwrap(), find["found"].as_str().unwrap()))
        .collect();
    let turn = |turn| {
        let each = ["write", "read", "write", "read"].map(|call| format!("{call} needle {turn}"));
        each.into_iter()
    };
    let first = ["write", "read"].map(|call| format!("{call} a needle"));
    let expected: Vec<String> = first.into_iter().chain((1..=3).flat_map(turn)).collect();
    assert_eq!(shown, expected, "{finds:#?}");
}
