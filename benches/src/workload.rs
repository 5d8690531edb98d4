//! The workloads, and what is hoped of each.

use examples::inputs;
use std::fs::{self, File};
use std::io::{BufWriter, Result, Write};
use std::path::Path;

/// One command to measure.
pub struct Workload {
    /// For the table and the filter.
    pub name: &'static str,
    /// What is run.
    pub command: Command,
    /// Makes the inputs, once, in the directory that all runs share.
    pub prepare: fn(&Path) -> Result<()>,
    /// What recording may cost at most, as the project's goal has it.
    pub target: Option<Target>,
    /// The same against a native run on one processor, if that is measured.
    pub one_processor_target: Option<f64>,
    /// How large the trace may become, likewise.
    pub trace_target: Option<TraceTarget>,
    /// It is recorded with `--order sync`: its threads run in parallel.
    pub in_parallel: bool,
}

/// What is run: arguments are separated by spaces.
pub enum Command {
    /// An installed program and its arguments.
    Installed(&'static str),
    /// An installed program, its arguments and the file (in the shared directory) that is its standard input.
    Fed(&'static str, &'static str),
    /// A file of `benches/programs`, and how many calls it makes.
    Loop(&'static str, u32),
    /// A file of `benches/programs`.
    Own(&'static str),
    /// An installed server that stays until its client ends it, and the text for `bash -c` of a client. The client is
    /// not recorded; its time is what is measured, so that a ratio is one of throughputs.
    Served(&'static str, &'static str),
}

/// A limit of what recording costs.
#[derive(Clone, Copy)]
pub enum Target {
    /// Times native.
    Ratio(f64),
    /// Milliseconds more than native.
    Milliseconds(f64),
    /// Nanoseconds more than native for each call of a [`Command::Loop`].
    NanosecondsPerCall(f64),
}

/// A limit of a trace's size.
#[derive(Clone, Copy)]
pub enum TraceTarget {
    /// Bytes.
    Bytes(u64),
    /// Percent of the bytes that system calls gave to the program.
    PercentOfReturned(f64),
}

/// What a replay may take at most, times native, whatever the workload.
pub const REPLAY_TARGET: f64 = 1.2;

const CALLS: u32 = 2_000_000;

/// All workloads.
pub fn table() -> Vec<Workload> {
    use Command::{Fed, Installed, Loop, Own, Served};
    let row = |name, command, prepare, target| Workload {
        name,
        command,
        prepare,
        target,
        one_processor_target: None,
        trace_target: None,
        in_parallel: false,
    };
    let in_parallel = |name, command, prepare, target| Workload {
        in_parallel: true,
        ..row(name, command, prepare, target)
    };
    vec![
        row("date", Installed("date"), nothing, Some(Target::Milliseconds(6.0))),
        row(
            "gzip -6, 100 MB",
            Installed("gzip -6 -k -f text"),
            |directory| write(directory, "text", 100 << 20),
            Some(Target::Ratio(1.03)),
        ),
        Workload {
            trace_target: Some(TraceTarget::Bytes(1 << 20)),
            ..row(
                "sha256sum, 1 GB",
                Installed("sha256sum large"),
                |directory| write(directory, "large", 1 << 30),
                Some(Target::Ratio(1.10)),
            )
        },
        row(
            "dd bs=512 count=200k",
            Installed("dd if=/dev/urandom of=copy bs=512 count=200k status=none"),
            nothing,
            Some(Target::Ratio(1.35)),
        ),
        row(
            "dd bs=64K, 100 MB",
            Installed("dd if=/dev/urandom of=copy bs=64K count=1600 status=none"),
            nothing,
            Some(Target::Ratio(1.2)),
        ),
        row(
            "sqlite3, 100k inserts in one transaction",
            Fed("sqlite3 database", "transaction.sql"),
            |directory| inserts(directory, "transaction.sql", "begin;", "commit;"),
            Some(Target::Ratio(1.15)),
        ),
        // A transaction each; without the journal, or it would measure the disk.
        row(
            "sqlite3, 100k transactions",
            Fed("sqlite3 database", "autocommit.sql"),
            |directory| {
                inserts(directory, "autocommit.sql", "pragma journal_mode=off; pragma synchronous=off;", "")
            },
            None,
        ),
        row(
            "gcc -O2 -c, 2000 lines",
            Installed("gcc -O2 -c generated.c"),
            inputs::generated_code,
            Some(Target::Ratio(1.15)),
        ),
        row(
            "clock_gettime loop",
            Loop("clock_loop.c", CALLS),
            nothing,
            Some(Target::NanosecondsPerCall(25.0)),
        ),
        row("getppid loop", Loop("call_loop.c", CALLS), nothing, Some(Target::NanosecondsPerCall(80.0))),
        Workload {
            trace_target: Some(TraceTarget::PercentOfReturned(15.0)),
            ..row("ls -lR /usr", Installed("ls -lR /usr"), nothing, None)
        },
        row(
            "python3, two threads that sum",
            Installed("/usr/bin/python3 sums.py"),
            |directory| fs::write(directory.join("sums.py"), SUMS),
            Some(Target::Ratio(1.15)),
        ),
        Workload {
            one_processor_target: Some(1.05),
            ..row(
                "pbzip2 -p2, 20 MB",
                Installed("pbzip2 -p2 -k -f text"),
                |directory| write(directory, "text", 20 << 20),
                Some(Target::Ratio(2.1)),
            )
        },
        Workload {
            one_processor_target: Some(1.3),
            ..row("4 threads, 200k locks each", Own("locks.c"), nothing, Some(Target::Ratio(2.5)))
        },
        row("make, 30 C files", Installed("make -B"), project, Some(Target::Ratio(1.4))),
        row(
            "bash, 200 small processes",
            Installed("bash processes.sh"),
            |directory| fs::write(directory.join("processes.sh"), PROCESSES),
            Some(Target::Ratio(3.0)),
        ),
        // 0.80 of the throughput.
        row(
            "redis, set and get",
            Served("redis-server --port 7391 --save  --appendonly no", REDIS_CLIENT),
            nothing,
            Some(Target::Ratio(1.0 / 0.80)),
        ),
        // 0.75 of the throughput. With its workers on one processor it has less by itself.
        Workload {
            one_processor_target: Some(1.0 / 0.75),
            ..row(
                "memcached, set and get",
                Served("memcached -A -u root -l 127.0.0.1 -p 7392", MEMCACHED_CLIENT),
                |directory| fs::write(directory.join("client.py"), MEMCACHED_LOOP),
                Some(Target::Ratio(1.0 / 0.75)),
            )
        },
        in_parallel(
            "pbzip2 -p2, 20 MB, in parallel",
            Installed("pbzip2 -p2 -k -f text"),
            |directory| write(directory, "text", 20 << 20),
            Some(Target::Ratio(1.05)),
        ),
        // 0.92 of the throughput. The LRU maintainer reads the time without a lock, once a second.
        in_parallel(
            "memcached, set and get, in parallel",
            Served("memcached -A -t 2 -o no_lru_maintainer -u root -l 127.0.0.1 -p 7392", MEMCACHED_CLIENT),
            |directory| fs::write(directory.join("client.py"), MEMCACHED_LOOP),
            Some(Target::Ratio(1.0 / 0.92)),
        ),
        in_parallel(
            "2 threads, a lock each, in parallel",
            Loop("own_locks.c", 20_000_000),
            nothing,
            Some(Target::NanosecondsPerCall(6.0)),
        ),
        in_parallel(
            "2 threads, one lock, in parallel",
            Own("shared_lock.c"),
            nothing,
            Some(Target::Ratio(1.3)),
        ),
        in_parallel(
            "2 threads, condition variables, in parallel",
            Own("ping_pong.c"),
            nothing,
            Some(Target::Ratio(1.2)),
        ),
        row("bash pipeline", Installed("bash everyday.sh"), inputs::scripts, None),
        row("python3 script", Installed("/usr/bin/python3 everyday.py"), inputs::scripts, None),
    ]
}

const SUMS: &str = "import threading
sums = {}
def add(me):
    sums[me] = sum(i * i % 7 for i in range(4_000_000))
threads = [threading.Thread(target=add, args=(me,)) for me in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(sums)
";
const PROCESSES: &str = "for i in {1..100}; do echo $i | cat; /bin/true; done\n";
const REDIS_CLIENT: &str =
    "redis-benchmark -p 7391 -t set,get -n 100000 -q; redis-cli -p 7391 shutdown nosave";
const MEMCACHED_CLIENT: &str = "python3 client.py 7392";
const MEMCACHED_LOOP: &str = "import socket, sys, threading
def connect():
    return socket.create_connection(('127.0.0.1', int(sys.argv[1])))
def ask(me):
    with connect() as server:
        for i in range(15_000):
            server.sendall(b'set key%d%d 0 0 5\\r\\nvalue\\r\\n' % (me, i % 100))
            assert server.recv(4096) == b'STORED\\r\\n'
            server.sendall(b'get key%d%d\\r\\n' % (me, i % 100))
            assert server.recv(4096).endswith(b'END\\r\\n')
threads = [threading.Thread(target=ask, args=(me,)) for me in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
connect().sendall(b'shutdown\\r\\n')
";

/// A Makefile and 30 C files.
fn project(directory: &Path) -> Result<()> {
    let mut objects = String::new();
    for number in 0..30 {
        let code = format!(
            "#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
             int work{number}(int n) {{ int sum = 0; for (int i = 0; i < n; i++) sum += i * {number}; return sum; }}\n"
        );
        fs::write(directory.join(format!("part{number}.c")), code)?;
        objects += &format!(" part{number}.o");
    }
    fs::write(directory.join("main.c"), "int work29(int); int main(void) { return work29(0); }\n")?;
    fs::write(directory.join("Makefile"), format!("CFLAGS = -O1\nprogram: main.o{objects}\n\tcc -o $@ $^\n"))
}

fn nothing(_: &Path) -> Result<()> {
    Ok(())
}

fn write(directory: &Path, name: &str, size: usize) -> Result<()> {
    let mut file = BufWriter::with_capacity(1 << 20, File::create(directory.join(name))?);
    inputs::write_text(&mut file, size)?;
    file.flush()
}

fn inserts(directory: &Path, name: &str, before: &str, after: &str) -> Result<()> {
    let mut script = format!("drop table if exists numbers; create table numbers (id, text); {before}\n");
    for id in 0..100_000 {
        script += &format!("insert into numbers values ({id}, 'number {id} as text');\n");
    }
    script += after;
    script += "\nselect count(*), sum(id) from numbers;\n";
    fs::write(directory.join(name), script)
}
