//! What becomes of a program of several threads, in either order, when the process that writes its trace is killed, or too
//! slow.

use crate::debugger::compile;
use crate::{Place, imitate, text};
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Stdio};

/// Reads more than all rings hold, once it has got a line.
const PROGRAM: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static int begun;
static long counted;
static void *work(void *input) {
    static char buffers[3][1 << 16];
    static int next;
    pthread_mutex_lock(&lock);
    char *buffer = buffers[next++];
    while (!begun)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 300; i++) {
        fread(buffer, 1, 1 << 16, input);
        pthread_mutex_lock(&lock);
        counted++;
        pthread_mutex_unlock(&lock);
    }
    return NULL;
}
int main(void) {
    pthread_t threads[3];
    FILE *inputs[3];
    char line[16];
    for (int i = 0; i < 3; i++) {
        inputs[i] = fopen("/dev/urandom", "r");
        pthread_create(&threads[i], 0, work, inputs[i]);
    }
    write(1, "ready\n", 6);
    read(0, line, sizeof line);
    pthread_mutex_lock(&lock);
    begun = 1;
    pthread_cond_broadcast(&changed);
    pthread_mutex_unlock(&lock);
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], 0);
    printf("%ld\n", counted);
    return 7;
}
"#;

/// A recording whose program waits to be told to go on.
struct Recording {
    place: Place,
    tool: Child,
    output: BufReader<std::process::ChildStdout>,
}

impl Recording {
    fn begin(order: &str) -> Recording {
        let place = Place::new();
        let program = compile(&place, "program", PROGRAM, &["-w", "-pthread"]);
        let mut tool = imitate();
        tool.args(["record", "--order", order, "--output"]).arg(place.trace()).arg("--").arg(&program);
        tool.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut tool = tool.spawn().unwrap();
        let mut output = BufReader::new(tool.stdout.take().unwrap());
        let mut line = String::new();
        output.read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n");
        Recording { place, tool, output }
    }

    /// Who has the trace's events open.
    fn writer(&self) -> libc::pid_t {
        let events = self.place.trace().join("events");
        let has_it = |process: &fs::DirEntry| {
            let descriptors = fs::read_dir(process.path().join("fd"));
            let mut links =
                descriptors.into_iter().flatten().flatten().map(|link| fs::read_link(link.path()));
            links.any(|link| link.is_ok_and(|link| link == events))
        };
        let found =
            fs::read_dir("/proc").unwrap().flatten().find(has_it).expect("no process writes the trace");
        found.file_name().to_str().unwrap().parse().unwrap()
    }

    /// The program, a child of the tool. That may have others for a moment, from which the writer comes.
    fn program(&self) -> String {
        let children = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.tool.id())).unwrap();
        let executes = |child: &&str| {
            fs::read_link(format!("/proc/{child}/exe")).is_ok_and(|file| file == self.place.path("program"))
        };
        children.split_whitespace().find(executes).expect("the tool has no such child").to_owned()
    }

    /// Waits until each of the program's threads sleeps.
    fn wait_until_all_sleep(&self) {
        let program = self.program();
        let sleeps = |task: fs::DirEntry| {
            fs::read_to_string(task.path().join("stat"))
                .is_ok_and(|stat| stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('S')))
        };
        while !fs::read_dir(format!("/proc/{program}/task")).unwrap().flatten().all(sleeps) {
            std::thread::yield_now();
        }
    }

    fn go_on(&mut self) {
        self.tool.stdin.take().unwrap().write_all(b"go on\n").unwrap();
    }

    /// Asserts that the program ends as it would have; gives what was said.
    fn end(&mut self) -> String {
        let (mut rest, mut said) = (String::new(), String::new());
        self.output.read_to_string(&mut rest).unwrap();
        self.tool.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        assert_eq!((self.tool.wait().unwrap().code(), rest.as_str()), (Some(7), "900\n"), "{said}");
        said
    }
}

fn signal(process: libc::pid_t, signal: libc::c_int) {
    // SAFETY: kill touches no memory; the process is one that the test has started.
    assert_eq!(unsafe { libc::kill(process, signal) }, 0);
}

#[test]
fn a_program_goes_on_without_its_writer() {
    for order in ["serial", "sync"] {
        let mut recording = Recording::begin(order);
        signal(recording.writer(), libc::SIGKILL);
        recording.go_on();
        let said = recording.end();
        assert!(said.contains("the program goes on"), "{order}: {said}");
        assert!(said.contains("the trace ends where it was then"), "{order}: {said}");
        let stats = imitate().arg("stats").arg(recording.place.trace()).output().unwrap();
        assert!(text(&stats.stderr).contains("ends early"), "{order}: {}", text(&stats.stderr));
    }
}

#[test]
fn a_program_waits_for_a_slow_writer() {
    for order in ["serial", "sync"] {
        let mut recording = Recording::begin(order);
        let writer = recording.writer();
        signal(writer, libc::SIGSTOP);
        recording.go_on();
        // The rings are full.
        recording.wait_until_all_sleep();
        signal(writer, libc::SIGCONT);
        assert_eq!(recording.end(), "", "{order}");
        let replayed = recording.place.replay();
        assert_eq!(replayed.status.code(), Some(7), "{order}: {}", text(&replayed.stderr));
        assert_eq!(text(&replayed.stdout), "ready\n900\n", "{order}");
    }
}
