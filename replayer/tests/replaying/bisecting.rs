//! `bisect`: the hand-overs that it finds are those that make the programs of docs/GALLERY.md fail, and no more.

use crate::debugger::compile;
use crate::gallery::source;
use crate::{FAILED, Place, imitate, text};
use serde_json::Value;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Output};

/// Loses counts between two instructions.
const COUNT: &str = r#"#include <pthread.h>
enum { ROUNDS = 20000 };
static long counter;
static void *count(void *unused)
{
    for (int round = 0; round < ROUNDS; round++)
        counter++;
    return unused;
}
int main(void)
{
    pthread_t threads[2];
    for (int number = 0; number < 2; number++)
        pthread_create(&threads[number], NULL, count, NULL);
    for (int number = 0; number < 2; number++)
        pthread_join(threads[number], NULL);
    return counter != 2 * ROUNDS;
}
"#;

/// Two threads, and a failure that has nothing to do with them: its status is what `outcome` says.
fn indifferent(outcome: &str) -> String {
    format!(
        r#"#include <pthread.h>
#include <fcntl.h>
#include <unistd.h>
static void *nothing(void *unused)
{{
    return unused;
}}
int main(void)
{{
    pthread_t threads[2];
    for (int number = 0; number < 2; number++)
        pthread_create(&threads[number], NULL, nothing, NULL);
    for (int number = 0; number < 2; number++)
        pthread_join(threads[number], NULL);
    return {outcome};
}}
"#
    )
}

/// imitate, in the place's directory.
fn tool(place: &Place, arguments: &[&str]) -> Command {
    let mut command = imitate();
    command.env("IMITATE_DIR", place.path("traces")).current_dir(place.path("")).args(arguments);
    command
}

fn run(place: &Place, arguments: &[&str]) -> Output {
    tool(place, arguments).output().unwrap()
}

/// Compiles a program called `app`, and hunts for its failure.
fn hunted(source: &str, until: &[&str]) -> Place {
    let place = Place::new();
    compile(&place, "app", source, &["-pthread"]);
    let mut arguments = vec!["hunt", "--chaos=1", "-n", "5000"];
    arguments.extend(until);
    let found = run(&place, &[&arguments[..], &["--", "./app"]].concat());
    assert_eq!(found.status.code(), Some(0), "{}", text(&found.stderr));
    place
}

/// What `bisect` finds, once it is certain that it is minimal: with all the program fails, and with one less it does not.
fn bisected(place: &Place, until: &[&str]) -> Value {
    let output = run(place, &[&["bisect", "app-1", "--json", "-n", "2"][..], until].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    let rate = |rate: &Value| (rate["failed"].as_u64().unwrap(), rate["runs"].as_u64().unwrap());
    assert_eq!(answer["effect"], "fails", "{answer}");
    assert_eq!(rate(&answer["with"]), (2, 2), "{answer}");
    assert_eq!(rate(&answer["with_none"]), (0, 5), "{answer}");
    for row in answer["hand_overs"].as_array().unwrap() {
        assert_eq!(rate(&row["without"]), (0, 2), "{answer}");
        assert_ne!(row["from"], row["to"], "{answer}");
    }
    answer
}

/// Panics unless a thread is interrupted in one of these lines of a function of the program.
fn assert_is_guilty(answer: &Value, function: &str, lines: std::ops::RangeInclusive<u32>) {
    let rows = answer["hand_overs"].as_array().unwrap();
    let frames = rows.iter().flat_map(|row| row["stack"].as_array().unwrap());
    let wanted: Vec<String> = lines.map(|line| format!("{function} at app.c:{line}")).collect();
    let is_wanted = |frame: &Value| wanted.iter().any(|wanted| frame.as_str() == Some(wanted));
    assert!(frames.into_iter().any(is_wanted), "no stack has {wanted:?}: {answer:#}");
}

/// How the trace that is kept ends in its replay.
fn replayed(place: &Place, answer: &Value) -> Output {
    run(place, &["replay", answer["trace"].as_str().unwrap()])
}

#[test]
fn data_race_between_calls() {
    let place = hunted(&source("A data race"), &[]);
    let answer = bisected(&place, &[]);
    assert!(answer["hand_overs"].as_array().unwrap().len() <= 3, "{answer}");
    assert_is_guilty(&answer, "server", 19..=21);
    assert_eq!(replayed(&place, &answer).status.code(), Some(1));
}

#[test]
fn data_race_between_instructions() {
    let place = hunted(COUNT, &[]);
    let answer = bisected(&place, &[]);
    assert_is_guilty(&answer, "count", 7..=7);
    let stop = answer["hand_overs"].as_array().unwrap().iter().find(|row| row["place"] == "stop").unwrap();
    assert!(stop["passages"].as_u64().unwrap() > 0);
    assert_eq!(replayed(&place, &answer).status.code(), Some(1));
}

#[test]
fn atomicity_violation() {
    let place = hunted(&source("An atomicity violation"), &[]);
    let answer = bisected(&place, &[]);
    assert_is_guilty(&answer, "customer", 24..=25);
    let replayed = replayed(&place, &answer);
    assert_eq!((replayed.status.code(), text(&replayed.stdout)), (Some(1), "balance -60\n".into()));
}

#[test]
fn order_violation() {
    let place = hunted(&source("An order violation"), &[]);
    let answer = bisected(&place, &[]);
    assert_eq!(answer["hand_overs"].as_array().unwrap().len(), 1, "{answer}");
    assert_is_guilty(&answer, "main", 27..=28);
    assert_eq!(replayed(&place, &answer).status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn lost_wake_up() {
    let place = hunted(&source("A lost wake-up"), &["--until", "signal=ALRM"]);
    let answer = bisected(&place, &[]);
    assert_eq!(answer["hand_overs"].as_array().unwrap().len(), 1, "{answer}");
    assert_is_guilty(&answer, "main", 30..=31);
    assert_eq!(replayed(&place, &answer).status.signal(), Some(libc::SIGALRM));
}

#[test]
fn deadlock() {
    let place = hunted(&source("A deadlock"), &["--until", "signal=ALRM"]);
    let answer = bisected(&place, &[]);
    assert_is_guilty(&answer, "transfer", 16..=16);
    assert_eq!(replayed(&place, &answer).status.signal(), Some(libc::SIGALRM));
}

#[test]
fn what_keeps_a_program_from_failing() {
    let until = ["--until", "match ^10000000000000000$"];
    let place = hunted(&source("Sums that differ"), &until);
    let output = run(&place, &[&["bisect", "app-1", "--json", "-n", "2"][..], &until].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        answer["effect"], "passes",
        "in the order in which they are created the threads add the large number first"
    );
    assert_eq!(answer["with"]["failed"], 0, "{answer}");
    for row in answer["hand_overs"].as_array().unwrap() {
        assert_eq!(row["without"]["failed"], 2, "{answer}");
    }
    assert_eq!(text(&replayed(&place, &answer).stdout), "10000000000000000\n");
}

#[test]
fn people_are_told_who_where_and_how_to_go_on() {
    let place = hunted(&source("An order violation"), &[]);
    let told = run(&place, &["bisect", "app-1", "-n", "1", "-o", "failing"]);
    let (out, err) = (text(&told.stdout), text(&told.stderr));
    assert_eq!(told.status.code(), Some(0), "{err}");
    assert!(out.contains("the difference: with it 1 of 1 runs fail, with none 0 of 5 runs fail\n"), "{out}");
    assert!(out.contains(" (app) to thread "), "{out}");
    assert!(out.contains("called by main at app.c:2"), "{out}");
    assert!(out.contains("without this hand-over 0 of 1 runs fail\n"), "{out}");
    let how = err.lines().find_map(|line| line.split_once("to replay it: ")).unwrap().1;
    assert!(how.contains("failing; where the first is made: imitate replay --gdb=0:"), "{how}");
    assert_eq!(run(&place, &["replay", "failing"]).status.signal(), Some(libc::SIGSEGV));
}

#[test]
fn a_program_that_fails_whoever_runs_is_said_to() {
    let place = hunted(&indifferent("1"), &[]);
    let told = run(&place, &["bisect", "app-1"]);
    let said = text(&told.stderr);
    assert_eq!((told.status.code(), text(&told.stdout)), (Some(1), String::new()), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    assert!(said.contains("it always fails, as far as can be seen, whoever runs when"), "{said}");
}

#[test]
fn a_failure_that_does_not_come_again_is_said_to() {
    // The first run only.
    let place = hunted(&indifferent("open(\"mark\", O_CREAT | O_EXCL, 0600) >= 0"), &[]);
    let told = run(&place, &["bisect", "app-1"]);
    let said = text(&told.stderr);
    assert_eq!((told.status.code(), text(&told.stdout)), (Some(1), String::new()), "{said}");
    assert!(said.contains("the program does not fail in 5 runs: its failure depends on more"), "{said}");
}

#[test]
fn what_cannot_be_bisected_is_one_error() {
    let place = hunted(&indifferent("1"), &[]);
    let refused = |arguments: &[&str], says: &str| {
        let output = run(&place, arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), FAILED, "{said}");
        assert!(said.starts_with("imitate: ") && said.lines().count() == 1 && said.contains(says), "{said}");
    };
    let recorded = |options: &[&str], name: &str| {
        let output = run(&place, &[&["record", "-q", "-o", name][..], options, &["--", "./app"]].concat());
        assert_eq!(output.status.code(), Some(1), "{}", text(&output.stderr));
    };
    recorded(&[], "plain");
    recorded(&["--order", "sync"], "parallel");
    refused(&["bisect", "plain"], "plain is not a recording with chaos");
    refused(&["bisect", "parallel"], "was recorded with --order sync");
    refused(&["bisect", "app-2"], "there is no trace app-2");
    refused(
        &["bisect", "app-1", "--until", "exit=3"],
        "app-1 ended with exit 1, which is not what --until says",
    );
    refused(&["bisect", "app-1", "app-1"], "app-1 fails, too");
    refused(&["bisect", "app-1", "plain"], "plain is not a recording with chaos");
    let other = run(&place, &["record", "-q", "--chaos=1", "-o", "other", "--", "true"]);
    assert_eq!(other.status.code(), Some(0));
    refused(&["bisect", "app-1", "other"], "are of different command lines");
    refused(&["bisect", "other"], "ended with exit 0; say with --until what its failure is");
    compile(&place, "app", &indifferent("2"), &["-pthread"]);
    refused(&["bisect", "app-1"], "app-1 cannot be recorded again");
}

#[test]
fn a_list_is_made_again_and_what_is_none_is_refused() {
    let place = hunted(&source("An order violation"), &[]);
    let told = run(&place, &["bisect", "app-1", "-n", "1", "--list", "list.json"]);
    assert_eq!(told.status.code(), Some(0), "{}", text(&told.stderr));
    let record =
        |list: &str, trace: &str| run(&place, &["record", "--hand-overs", list, "-o", trace, "--", "./app"]);
    let again = record("list.json", "again");
    assert_eq!((again.status.signal(), text(&again.stderr)), (Some(libc::SIGSEGV), String::new()));
    assert_eq!(run(&place, &["replay", "again"]).status.signal(), Some(libc::SIGSEGV));
    let stats = text(&run(&place, &["stats", "again"]).stdout);
    assert!(
        stats.contains("recorded with a list of hand-overs, 1 of which were made, and 0 others"),
        "{stats}"
    );
    let list = std::fs::read_to_string(place.path("list.json")).unwrap();
    // Nobody has this lineage.
    let nobody: Value = serde_json::from_str(&list).unwrap();
    let target = nobody["hand_overs"][0]["to"].as_str().unwrap();
    std::fs::write(place.path("nobody.json"), list.replace(target, "5")).unwrap();
    let passed = record("nobody.json", "passed");
    assert_eq!(passed.status.code(), Some(0));
    assert_eq!(
        text(&passed.stderr),
        "imitate: 0 of 1 hand-overs were made: the places of the others did not come\n"
    );
    assert_eq!(text(&run(&place, &["replay", "passed"]).stdout), text(&passed.stdout));
    std::fs::write(place.path("broken.json"), &list[..list.len() / 2]).unwrap();
    for (list, says) in
        [("broken.json", "EOF"), ("none.json", "cannot read none.json"), ("app", "is not a list")]
    {
        let refused = record(list, "refused");
        let said = text(&refused.stderr);
        assert_eq!(refused.status.code(), FAILED, "{said}");
        assert!(said.contains(says) && said.lines().count() == 1, "{said}");
        assert!(!place.path("refused").exists());
    }
}
