//! Going to events, and back.

use crate::debugger::{compile, run, session};
use crate::{Place, imitate, text};
use std::process::Command;

/// Two threads count, in turns that nobody orders, then the process aborts.
const COUNTING: &str = r#"
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

long counter, last;
volatile long sums[2];

static long mix(long sum, long step)
{
    return (sum * 31 + step) ^ (sum >> 7);
}

static void note(long id, long step)
{
    last = id * 1000 + step;
    counter++;
}

#ifdef LOCKED
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
#define note(id, step) (pthread_mutex_lock(&lock), note(id, step), pthread_mutex_unlock(&lock))
#endif

static void *work(void *parameter)
{
    long id = (long)parameter, sum = id;
    for (long step = 0; step < 20; step++) {
        for (long round = 0; round < 2000000; round++)
            sum = mix(sum, round);
        note(id, step);
    }
    sums[id] = sum;
    return 0;
}

int main(void)
{
    pthread_t threads[2];
    for (long id = 0; id < 2; id++)
        pthread_create(&threads[id], 0, work, (void *)id);
    for (int id = 0; id < 2; id++)
        pthread_join(threads[id], 0);
    printf("%ld %ld\n", counter, last);
    fflush(stdout);
    abort();
}
"#;

fn counting() -> Place {
    let place = Place::new();
    let program = compile(&place, "counting", COUNTING, &["-O1", "-fno-inline", "-pthread"]);
    let recorded = place.record(&[&program]);
    assert!(text(&recorded.stdout).starts_with("40 "), "{}", text(&recorded.stdout));
    place
}

/// `STREAM:EVENT`s of the recording's lines that have this in them.
fn places(place: &Place, part: &str) -> Vec<String> {
    let dumped = imitate().args(["dump", "--places"]).arg(place.trace()).output().unwrap();
    let lines = text(&dumped.stdout);
    let found = lines.lines().filter(|line| line.contains(part));
    found.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
}

#[test]
fn an_event_is_gone_to_by_its_number() {
    let place = counting();
    let write = places(&place, "write(1, ").pop().expect("it writes");
    let exits = places(&place, " exit(0)");
    let [first, _] = &exits[..] else { panic!("two threads end: {exits:?}") };
    let seek = format!("seek {first}");
    let option = format!("--gdb={write}");
    let commands = ["when", "backtrace", "print counter", &seek, "when", "backtrace", "imitate threads"];
    let answers = session(&place.trace(), &[&option], commands.into_iter());
    assert!(answers[0].contains(&format!(") {write}\n")), "{}", answers[0]);
    assert!(answers[1].contains("write") && answers[1].contains("main () at "), "{}", answers[1]);
    assert!(answers[2].contains("= 40"), "{}", answers[2]);
    // A state check may come before the call.
    let (stream, _) = first.split_once(':').unwrap();
    assert!(answers[4].contains(&format!(" {stream}:")), "{}", answers[4]);
    assert!(answers[5].contains("start_thread"), "{}", answers[5]);
    // The other thread may have ended.
    assert!(
        answers[6].contains("STREAM:EVENT") && answers[6].contains(&format!(" {stream}:")),
        "{}",
        answers[6]
    );
    let wrong = imitate().args(["replay", "--gdb=x:1"]).arg(place.trace()).output().unwrap();
    assert!(text(&wrong.stderr).contains("expected EVENT or STREAM:EVENT"), "{}", text(&wrong.stderr));
}

#[test]
fn writes_are_found_backwards_one_after_the_other() {
    let place = counting();
    let mut commands = vec!["delete", "continue", "backtrace", "watch counter"];
    // The last write has number 40, the one before 39...
    for _ in 0..3 {
        commands.extend(["reverse-continue", "print counter"]);
    }
    commands.extend(["imitate last-write last", "print last", "continue", "print counter"]);
    let answers = session(&place.trace(), &["--gdb"], commands.into_iter());
    assert!(answers[1].contains("SIGABRT"), "{}", answers[1]);
    assert!(answers[2].contains("main () at "), "{}", answers[2]);
    for (index, count) in [(4, 40), (6, 39), (8, 38)] {
        assert!(
            answers[index].contains("Watchpoint") && answers[index].contains("note (id="),
            "{}",
            answers[index]
        );
        assert!(answers[index + 1].contains(&format!("= {count}\n")), "{}", answers[index + 1]);
    }
    assert!(
        answers[10].contains("last was last written at ") && answers[10].contains("last = "),
        "{}",
        answers[10]
    );
    // Forwards from there: the count goes on from 37.
    assert!(answers[12].contains("Old value = 37"), "{}", answers[12]);
    assert!(answers[13].contains("= 38\n"), "{}", answers[13]);
}

/// A variable of `main` is written where its name is another variable's.
const NAMESAKES: &str = r#"
static long fill(long *place)
{
    long count = 77;
    *place = count + 5;
    return count;
}

int main(void)
{
    long count = 1;
    fill(&count);
    return count != 82;
}
"#;

#[test]
fn a_variable_is_the_same_one_where_the_program_is_gone_back_to() {
    let place = Place::new();
    let program = compile(&place, "namesakes", NAMESAKES, &["-O0"]);
    assert_eq!(place.record(&[&program]).status.code(), Some(0));
    let commands = ["break 13", "continue", "imitate last-write count"];
    let answers = session(&place.trace(), &["--gdb"], commands.into_iter());
    assert!(answers[2].contains("namesakes.c:5") && answers[2].contains("count = 82\n"), "{}", answers[2]);
    let commands = ["delete", "break 13", "continue", "delete", "watch count", "reverse-continue"];
    let answers = session(&place.trace(), &["--gdb"], commands.into_iter());
    assert!(answers[5].contains("fill (place=") && answers[5].contains("count = 82\n"), "{}", answers[5]);
}

/// A local variable is written in another function, where its name means nothing.
const LOCAL: &str = r#"
#include <unistd.h>

static void add(long *place, long value)
{
    *place += value;
}

static long collect(int rounds)
{
    long sum = 0;
    for (int round = 0; round < rounds; round++) {
        add(&sum, 2 * round);
        if (round % 3 == 0)
            getpid();
    }
    return sum;
}

int main(void)
{
    long sum = collect(10);
    return sum != 90;
}
"#;

/// Records it, and tells gdb these commands at the end of `collect`.
fn at_the_end_of_collect(commands: &[&str]) -> Vec<String> {
    let place = Place::new();
    let program = compile(&place, "local", LOCAL, &["-O0"]);
    assert_eq!(place.record(&[&program]).status.code(), Some(0));
    let commands = [&["delete", "break 18", "continue", "delete"], commands].concat();
    session(&place.trace(), &["--gdb"], commands.into_iter()).split_off(4)
}

#[test]
fn a_local_variable_is_gone_back_on_where_its_name_means_nothing() {
    for watch in ["watch -l sum", "watch -location sum", "watch sum"] {
        let answers = at_the_end_of_collect(&[watch, "rc", "rc", "print sum", "rc", "up", "print sum", "rc"]);
        for (index, value, sum) in [(1, 18, 90), (2, 16, 72), (4, 14, 56), (7, 12, 42)] {
            let answer = &answers[index];
            assert!(answer.contains(&format!("value={value}) at local.c:7")), "{watch}: {answer}");
            assert!(answer.contains(&format!("-location sum = {sum}\n")), "{watch}: {answer}");
        }
        assert!(answers[3].contains("No symbol") && answers[6].contains("= 56\n"), "{watch}: {answers:?}");
    }
}

#[test]
fn conditions_hold_on_the_way_back() {
    // Of several breakpoints each has its own; one without a condition stops at its last hit.
    let commands = [
        "break add if value == 8",
        "break 15 if round == 3",
        "rc",
        "print value",
        "rc",
        "print round",
        "rc",
        "when",
    ];
    let answers = at_the_end_of_collect(&commands);
    assert!(answers[2].contains("add (place=") && answers[3].contains("= 8\n"), "{answers:?}");
    assert!(answers[4].contains("collect (rounds=10)") && answers[5].contains("= 3\n"), "{answers:?}");
    assert!(answers[6].contains("Conditions are false at all hits before."), "{answers:?}");
    // It stays, and goes on from there.
    assert!(answers[6].contains("collect (rounds=10) at local.c:15"), "{answers:?}");
    let commands =
        ["break add if value == 8", "break collect", "rc", "rc", "print rounds", "continue", "print value"];
    let answers = at_the_end_of_collect(&commands);
    assert!(answers[3].contains("collect (rounds=10)") && answers[4].contains("= 10\n"), "{answers:?}");
    assert!(answers[5].contains("add (place=") && answers[6].contains("= 8\n"), "{answers:?}");
}

#[test]
fn the_condition_of_a_watchpoint_is_of_the_frame_that_it_was_made_in() {
    for watch in ["watch -l sum if sum == 20", "watch sum if rounds == 10 && sum == 20"] {
        let answers = at_the_end_of_collect(&[watch, "rc", "continue"]);
        assert!(answers[1].contains("value=8) at local.c:7"), "{watch}: {answers:?}");
        assert!(answers[1].contains("-location sum = 20\n"), "{watch}: {answers:?}");
    }
}

#[test]
fn a_condition_that_was_never_true_leaves_the_program_where_it_is() {
    let answers = at_the_end_of_collect(&["break add if value == 5", "rc", "print sum", "backtrace"]);
    assert!(answers[1].contains("Conditions are false at all hits before."), "{answers:?}");
    assert!(
        answers[2].contains("= 90\n") && answers[3].contains("#0  collect (rounds=10) at local.c:18"),
        "{answers:?}"
    );
}

/// Threads are stopped in the midst of a line, early enough that the way there can be counted.
const STOPPED: &str = r#"
#include <pthread.h>
#include <stdio.h>
static volatile long sums[2];
static long step(long id, long round)
{
    double value = round;
    __asm__ volatile(".rept 300\n\tfsin\n\t.endr" : "+t"(value)); sums[id] += round; sums[id] ^= value > 0;
    return sums[id];
}
static void *work(void *parameter)
{
    for (long round = 0; round < 8000; round++)
        step((long)parameter, round);
    return 0;
}
int main(void)
{
    pthread_t threads[2];
    for (long id = 0; id < 2; id++)
        pthread_create(&threads[id], 0, work, (void *)id);
    for (int id = 0; id < 2; id++)
        pthread_join(threads[id], 0);
    puts("both are done");
    return 0;
}
"#;

#[test]
fn recorded_stops_are_met_on_the_way_back_and_after_it() {
    let place = Place::new();
    let program = compile(&place, "stopped", STOPPED, &["-O0", "-pthread"]);
    assert_eq!(place.record(&[&program]).status.code(), Some(0));
    let stops = places(&place, "stopped before the instruction at ");
    let stop = stops.iter().find(|stop| stop.starts_with("1:")).expect("a thread is stopped");
    let option = format!("--gdb={stop}");
    const STATE: &str = "printf \"state %lx %lx %lx\\n\", $rip, $rsp, $rax";
    // Behind the stop, forwards and back to it; then to before it, and on to the end.
    let mut commands = vec![STATE];
    for command in [["stepi"; 3], ["reverse-stepi"; 3]].concat() {
        commands.extend([command, STATE, "when"]);
    }
    commands.extend(["reverse-stepi", "when", "stepi", STATE, "stepi", "delete", "continue"]);
    let answers = session(&place.trace(), &[&option], commands.into_iter());
    let line = |index: usize| {
        let lines = answers[index].lines().find_map(|line| line.split_once("state ").map(|(_, state)| state));
        lines.unwrap_or_else(|| panic!("no state: {}", answers[index])).to_owned()
    };
    let forwards = [0, 2, 5, 8].map(line);
    assert_eq!([17, 14, 11].map(line), [0, 2, 5].map(line), "{answers:?}");
    assert_ne!(forwards[0], forwards[1]);
    let (when, before) = (answers[3].as_str(), answers[20].as_str());
    for index in [6, 9, 12, 15] {
        assert_eq!(answers[index], when, "{answers:?}");
    }
    assert!(before.contains(stop.as_str()), "{before}");
    assert_eq!(line(22), forwards[0], "{answers:?}");
    assert!(answers[25].contains("both are done") && answers[25].contains("exited normally"), "{answers:?}");
    // What was there for a stop that is gone to no more does not hold up another replay.
    let commands = ["break step", "continue", "delete", "seek 1:100000", "seek 2:1", "delete", "continue"];
    let answers = session(&place.trace(), &[&option], commands.into_iter());
    assert!(answers[6].contains("exited normally"), "{answers:?}");
}

#[test]
fn a_line_is_gone_back_over_as_a_whole_and_a_function_left_by_its_beginning() {
    let place = Place::new();
    let program = compile(&place, "stopped", STOPPED, &["-O0", "-pthread"]);
    assert_eq!(place.record(&[&program]).status.code(), Some(0));
    let commands = [
        "break 9 if round == 30",
        "continue",
        "reverse-next",
        "reverse-next",
        "reverse-next",
        "reverse-next",
    ];
    let answers = session(&place.trace(), &["--gdb"], commands.into_iter());
    assert!(answers[1].contains("stopped.c:9"), "{}", answers[1]);
    for (answer, line) in [(2, "8\t"), (3, "7\t"), (4, "6\t"), (5, "14\t")] {
        assert!(answers[answer].lines().any(|found| found.starts_with(line)), "{answers:?}");
    }
}

#[test]
fn what_cannot_be_done_is_said() {
    let place = counting();
    let commands =
        ["delete", "reverse-continue", "seek 77:1", "seek x", "imitate last-write 5", "kill", "when"];
    let answers = session(&place.trace(), &["--gdb"], commands.into_iter());
    for (index, words) in [
        (1, "There is no breakpoint or watchpoint to go back to"),
        (2, "The replay ended before it came there"),
        (3, "expected EVENT or STREAM:EVENT"),
        (4, "5 is not in memory"),
        (6, "The program is not being run"),
    ] {
        assert!(answers[index].contains(words), "{words} is not in: {}", answers[index]);
    }
}

#[test]
fn a_sync_recording_can_be_sought_in_but_not_searched_backwards() {
    let place = Place::new();
    let program = compile(&place, "counting", COUNTING, &["-O1", "-fno-inline", "-pthread", "-DLOCKED"]);
    let recorded = place.record_with(&["--order", "sync"], &[&program]);
    assert!(recorded.status.code().is_none(), "{}", text(&recorded.stderr));
    let exit = places(&place, " exit(0)").remove(0);
    let option = format!("--gdb={exit}");
    let answers =
        session(&place.trace(), &[&option], ["when", "backtrace", "imitate last-write counter"].into_iter());
    let (stream, _) = exit.split_once(':').unwrap();
    assert!(answers[0].contains(&format!(" {stream}:")), "{}", answers[0]);
    assert!(answers[1].contains("start_thread"), "{}", answers[1]);
    assert!(answers[2].contains("Threads run in parallel in this recording"), "{}", answers[2]);
}

#[test]
fn a_front_end_drives_gdb_over_mi() {
    let place = counting();
    let program = place.path("counting");
    // What VS Code's C/C++ extension sends, shortened.
    let commands = format!(
        "1-gdb-set target-async on\n2-file-exec-and-symbols {}\n3-break-insert -f main\n4-break-insert -f -c \"id == 1 && step == 3\" note\n\
         5-exec-run\n",
        program.display()
    );
    let rest = "6-exec-continue\n7-stack-list-frames\n8-stack-list-variables --thread 3 --frame 0 --simple-values\n\
                9-interpreter-exec console \"imitate last-write last\"\n10-data-evaluate-expression counter\n11-gdb-exit\n";
    let printed = mi(&place, &commands, rest);
    for words in [
        "2^done",
        "5^running",
        "func=\"main\"",
        "func=\"note\"",
        "{name=\"id\"",
        "value=\"3\"",
        "last was last written",
        "10^done,value=",
        "11^exit",
    ] {
        assert!(printed.contains(words), "{words} is not in:\n{printed}");
    }
}

/// What gdb says over MI through the script of docs/DEBUGGING.md: it is told the second half when the program stops.
fn mi(place: &Place, begin: &str, rest: &str) -> String {
    use std::io::{BufRead, BufReader, Write};
    let script = place.path("replay.sh");
    let document = include_str!("../../../docs/DEBUGGING.md");
    let (_, behind) = document.split_once("```sh\n").unwrap();
    std::fs::write(&script, behind.split_once("```").unwrap().0).unwrap();
    let tool = imitate();
    let bin = place.path("bin");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(tool.get_program(), bin.join("imitate")).unwrap();
    let mut command = Command::new("sh");
    command.arg(&script).arg("--interpreter=mi").env("IMITATE_TRACE", place.trace());
    command.env("PATH", format!("{}:{}", bin.display(), std::env::var("PATH").unwrap()));
    for (name, value) in tool.get_envs() {
        command.env(name, value.unwrap_or_default());
    }
    let mut gdb =
        command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut input = gdb.stdin.take().unwrap();
    input.write_all(begin.as_bytes()).unwrap();
    let mut printed = String::new();
    let mut lines = rest.lines().peekable();
    for line in BufReader::new(gdb.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        let answers = line.starts_with("*stopped") || line.starts_with(|first: char| first.is_ascii_digit());
        printed += &format!("{line}\n");
        // Each is sent when the one before has been answered, or the program has stopped.
        let waits = line.contains("^running")
            || line.starts_with(['1', '2', '3', '4']) && line.contains("^done") && !line.starts_with("10");
        if answers
            && !waits
            && let Some(next) = lines.next()
        {
            writeln!(input, "{next}").unwrap();
        }
    }
    gdb.wait().unwrap();
    printed
}

#[test]
fn a_divergence_can_be_looked_at_in_gdb() {
    let place = Place::new();
    let code = "#include <unistd.h>\nint main(void)\n{\n    return access(\"/input-one\", R_OK) == 0;\n}\n";
    let program = compile(&place, "looking", code, &["-O0"]);
    place.record(&[&program]);
    crate::altered::replace_in_calls(&place.trace(), "/input-one", "/input-two");
    let printed = run(&place.trace(), &["--on-divergence", "gdb"], &[], "when\nbacktrace\nquit\n");
    for words in ["the replay diverged from the recording", "main () at "] {
        assert!(printed.contains(words), "{words} is not in:\n{printed}");
    }
}
