//! Programs that run with the allocator (`preload/examples/allocator.rs`) instead of glibc's do what they did.

use std::path::PathBuf;
use std::process::{Command, Output};

/// Cargo builds examples before it runs tests, beside the directory of the tests.
fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let built = test.ancestors().nth(2).unwrap().join("examples/liballocator.so");
    assert!(built.is_file(), "{} does not exist", built.display());
    built
}

fn run(words: &[&str], preloaded: bool) -> Output {
    let mut command = Command::new(words[0]);
    command.args(&words[1..]);
    if preloaded {
        command.env("LD_PRELOAD", library());
    }
    command.output().unwrap()
}

fn does_the_same(words: &[&str]) {
    let [native, preloaded] = [false, true].map(|preloaded| run(words, preloaded));
    assert!(native.status.success(), "{native:?}");
    assert_eq!(preloaded, native);
}

#[test]
fn python_with_threads() {
    const SCRIPT: &str = "
import json, threading
data = [{'text': [str(i)] * 5, 'numbers': {j: j for j in range(20)}} for i in range(3000)]
results = {}
def work(me):
    results[me] = sum(len(bytearray(i)) for i in range(3000)) + len(json.dumps(json.loads(json.dumps(data))))
threads = [threading.Thread(target=work, args=(me,)) for me in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sorted(results.items()))
";
    does_the_same(&["python3", "-c", SCRIPT]);
}

#[test]
fn perl_with_a_large_hash() {
    does_the_same(&["perl", "-e", "$h{$_} = 'x' x ($_ % 500) for 1..50000; print scalar(keys %h), \"\\n\""]);
}

#[test]
fn bash_that_forks() {
    does_the_same(&["bash", "-c", "for i in {1..30}; do echo $i | cat; done; echo ${BASH_VERSION}"]);
}

#[test]
fn compression_by_several_threads() {
    does_the_same(&[
        "bash",
        "-c",
        "seq 500000 | pigz -p 4 | pigz -d | sha256sum; seq 200000 | xz -T2 | xz -d | cksum",
    ]);
}

#[test]
fn sqlite() {
    const SCRIPT: &str = "create table t(a, b);
        with recursive c(x) as (select 1 union all select x + 1 from c where x < 100000)
        insert into t select x, hex(x) from c;
        create index i on t(b); select count(*), sum(a), max(b) from t;";
    does_the_same(&["sqlite3", ":memory:", SCRIPT]);
}

#[test]
fn a_second_free_ends_the_program() {
    const SCRIPT: &str = "import ctypes; c = ctypes.CDLL(None); c.malloc.restype = ctypes.c_void_p
block = c.malloc(100); c.free(ctypes.c_void_p(block)); c.free(ctypes.c_void_p(block))";
    for preloaded in [false, true] {
        let output = run(&["python3", "-c", SCRIPT], preloaded);
        assert!(!output.status.success());
        assert_eq!(String::from_utf8_lossy(&output.stderr), "free(): double free detected in tcache 2\n");
    }
}
