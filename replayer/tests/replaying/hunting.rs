//! `hunt` with programs that fail now and then, and chaos as far as it can be seen from outside.

use crate::{FAILED, Place, imitate, text};
use serde_json::Value;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Output, Stdio};

/// Fails in about one of four runs.
const FAILS_AT_RANDOM: &str = "echo out; echo err >&2; exit $((RANDOM % 4 == 0))";

fn hunt(place: &Place, options: &[&str], script: &str) -> Output {
    let mut command = imitate();
    command.env("IMITATE_DIR", place.path("storage")).arg("hunt").args(options);
    command.args(["--", "bash", "-c", script]).output().unwrap()
}

/// What of the traces in the storage directory is left.
fn names(place: &Place) -> Vec<String> {
    let listed = std::fs::read_dir(place.path("storage")).unwrap();
    let mut names: Vec<_> =
        listed.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "latest");
    names.sort();
    names
}

#[test]
fn the_failing_run_is_kept_shown_and_can_be_replayed() {
    let place = Place::new();
    let found = hunt(&place, &["-n", "200", "--chaos=1000"], FAILS_AT_RANDOM);
    let said = text(&found.stderr);
    assert_eq!(found.status.code(), Some(0), "{said}");
    assert_eq!(text(&found.stdout), "out\n", "only the failing run is shown");
    let lines: Vec<_> = said.lines().collect();
    assert_eq!(lines.len(), 3, "{said}");
    assert_eq!(lines[0], "err");
    let run = lines[1].strip_prefix("imitate: run ").unwrap();
    let (run, rest) = run.split_once(" of 200, chaos seed ").unwrap();
    let seed = 1000 + run.parse::<u64>().unwrap() - 1;
    assert_eq!(rest, format!("{seed}: exit 1"));
    assert_eq!(names(&place), ["bash-1"], "the other runs' traces are removed");
    assert_eq!(lines[2], "imitate: to replay it: imitate replay bash-1");
    let replayed =
        imitate().env("IMITATE_DIR", place.path("storage")).args(["replay", "bash-1"]).output().unwrap();
    assert_eq!(replayed.status.code(), Some(1));
    assert_eq!((text(&replayed.stdout), text(&replayed.stderr)), ("out\n".into(), "err\n".into()));
    assert_eq!(listed(&place.path("storage")), [Some(seed)]);
}

/// The seeds that `ls` shows.
fn listed(storage: &Path) -> Vec<Option<u64>> {
    let listed = imitate().env("IMITATE_DIR", storage).args(["ls", "--json"]).output().unwrap();
    let rows = text(&listed.stdout);
    rows.lines().map(|row| serde_json::from_str::<Value>(row).unwrap()["chaos"].as_u64()).collect()
}

#[test]
fn nothing_found_is_status_1_and_leaves_nothing() {
    let place = Place::new();
    let missed = hunt(&place, &["-n", "3", "--chaos=7"], "echo out");
    assert_eq!(missed.status.code(), Some(1));
    assert_eq!(text(&missed.stdout), "");
    assert_eq!(text(&missed.stderr), "imitate: not found in 3 runs (chaos seeds 7 to 9)\n");
    assert_eq!(names(&place), Vec::<String>::new());
}

#[test]
fn every_condition_is_found_by_the_run_that_shows_it() {
    for (until, script, ending) in [
        ("exit=7", "exit 7", "exit 7"),
        ("exit!=1", "exit 0", "exit 0"),
        ("signal", "kill -SEGV $$", "SIGSEGV"),
        ("signal=TERM", "kill $$", "SIGTERM"),
        ("match ^second$", "echo first; echo second >&2", "exit 0"),
    ] {
        let place = Place::new();
        let found = hunt(&place, &["-n", "1", "--until", until], script);
        let said = text(&found.stderr);
        assert_eq!(found.status.code(), Some(0), "{until}: {said}");
        assert!(said.contains(&format!(": {ending}\n")), "{until}: {said}");
        let missed = hunt(&place, &["-n", "1", "--until", until], "exit 1");
        assert_eq!(missed.status.code(), Some(1), "{until}: {}", text(&missed.stderr));
        assert_eq!(names(&place), ["bash-1"]);
    }
}

#[test]
fn the_trace_goes_where_the_user_wants_it() {
    let place = Place::new();
    let trace = place.path("the trace");
    // The second run that sees the file fails.
    let mark = place.path("mark");
    let script = format!("[ -e {0} ] && exit 9; : > {0}", mark.display());
    let found = hunt(&place, &["-n", "5", "-o", trace.to_str().unwrap(), "--no-chaos"], &script);
    let said = text(&found.stderr);
    assert_eq!(found.status.code(), Some(0), "{said}");
    assert!(said.contains("run 2 of 5: exit 9"), "{said}");
    assert!(said.contains(&format!("imitate replay '{}'", trace.display())), "{said}");
    assert_eq!(imitate().arg("replay").arg(&trace).output().unwrap().status.code(), Some(9));
    let again = hunt(&place, &["-o", trace.to_str().unwrap()], "exit 1");
    assert_eq!(again.status.code(), FAILED, "an existing trace is not overwritten");
}

#[test]
fn all_outputs_are_shown_if_asked_for_and_every_run_reads_the_same() {
    let place = Place::new();
    let input = place.path("input");
    std::fs::write(&input, "first\nsecond\n").unwrap();
    let shown = imitate()
        .env("IMITATE_DIR", place.path("storage"))
        .args(["hunt", "-n", "3", "--show", "--", "head", "-n", "1"])
        .stdin(std::fs::File::open(input).unwrap())
        .output()
        .unwrap();
    assert_eq!(shown.status.code(), Some(1));
    assert_eq!(text(&shown.stdout), "first\nfirst\nfirst\n");
}

#[test]
fn a_program_that_is_not_there_ends_the_hunt_as_in_a_shell() {
    let place = Place::new();
    let hunted = imitate().args(["hunt", "--", "no-such-program-anywhere"]).output().unwrap();
    assert_eq!(hunted.status.code(), Some(127));
    assert_eq!(text(&hunted.stderr).matches("no-such-program-anywhere").count(), 1);
    drop(place);
}

#[test]
fn an_interrupt_ends_the_hunt_and_is_no_failure() {
    let place = Place::new();
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut command = imitate();
    command.env("IMITATE_DIR", place.path("storage")).args(["hunt", "-n", "1000", "--", "bash", "-c"]);
    command.arg(format!("exec 3> {}; exec sleep 1000", pipe.display()));
    let mut tool = command.process_group(0).stderr(Stdio::piped()).spawn().unwrap();
    // Opens when the program does.
    let opened = std::fs::File::open(&pipe).unwrap();
    // SAFETY: a signal to the process group of a child that has not been waited for.
    unsafe { libc::kill(-(tool.id() as i32), libc::SIGINT) };
    assert_eq!(tool.wait().unwrap().signal(), Some(libc::SIGINT));
    drop(opened);
    assert_eq!(names(&place), Vec::<String>::new());
}

#[test]
fn the_seed_is_said_and_kept() {
    let place = Place::new();
    let record = |name: &str, options: &[&str]| {
        let mut command = imitate();
        command.arg("record").args(options).arg("-o").arg(place.path(name));
        let output = command.args(["--", "true"]).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
        text(&output.stderr)
    };
    let stats = |name: &str| {
        let output = imitate().arg("stats").arg(place.path(name)).arg("--json").output().unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["chaos"].as_u64()
    };
    assert_eq!(record("none", &[]), "");
    assert_eq!(stats("none"), None);
    assert_eq!(
        record("given", &["--chaos=18446744073709551615"]),
        "imitate: chaos seed 18446744073709551615\n"
    );
    assert_eq!(stats("given"), Some(u64::MAX));
    assert_eq!(record("quiet", &["--chaos=5", "-q"]), "");
    assert_eq!(stats("quiet"), Some(5));
    let said = record("random", &["--chaos"]);
    let seed = said.strip_prefix("imitate: chaos seed ").unwrap().trim_end().parse().unwrap();
    assert_eq!(stats("random"), Some(seed));
    assert_eq!(imitate().args(["record", "--chaos=0", "--", "true"]).output().unwrap().status.code(), FAILED);
}

#[test]
fn verify_records_with_chaos_too() {
    let verified = imitate().args(["verify", "-n", "2", "--chaos=3", "--", "date"]).output().unwrap();
    assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
    assert_eq!(text(&verified.stderr), "imitate: chaos seed 3\n");
}

#[test]
fn the_library_alone_takes_its_seed_from_the_environment() {
    let place = Place::new();
    let run = |seed: &str| {
        let library = imitate()
            .get_envs()
            .find_map(|(name, value)| (name == "IMITATE_LIBRARY").then(|| value.unwrap().to_owned()));
        Command::new("true")
            .env("LD_PRELOAD", library.unwrap())
            .env("IMITATE_TRACE", place.trace())
            .env("IMITATE_CHAOS", seed)
            .output()
            .unwrap()
    };
    let refused = run("often");
    assert!(text(&refused.stderr).contains("IMITATE_CHAOS must be a seed"), "{}", text(&refused.stderr));
    assert!(!place.trace().exists());
    let recorded = run("12");
    assert_eq!(recorded.status.code(), Some(0), "{}", text(&recorded.stderr));
    tracer_core::trace::directory::wait_until_recorded(&place.trace()).unwrap();
    let manifest = tracer_core::trace::manifest::Manifest::load(&place.trace()).unwrap();
    assert_eq!(manifest.chaos(), Some(12));
}
