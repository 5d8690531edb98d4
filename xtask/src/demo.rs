//! `cargo xtask demo`: what Imitate is for, on this machine, in a minute.

use crate::commands::{build_release, shown};
use anyhow::{Context, Result, ensure};
use std::path::Path;
use std::process::{Command, Output};

/// A program of every Linux machine whose output is different each time, and what makes it so.
struct Scene {
    why: &'static str,
    program: &'static [&'static str],
}

const SCENES: &[Scene] = &[
    Scene { why: "the time of day", program: &["date", "+%F %T.%N"] },
    Scene {
        why: "files and their attributes, whatever happens to them later",
        program: &["ls", "-l", "/proc/self/fd/"],
    },
    Scene { why: "random numbers", program: &["od", "-A", "n", "-t", "x8", "-N", "32", "/dev/urandom"] },
    Scene {
        why: "a tree of processes, their ids, and pipes between them",
        program: &[
            "sh",
            "-c",
            "echo shell $$; for i in 3 1 2; do sh -c 'echo child $$'; done | sort -r; exit 3",
        ],
    },
    Scene {
        why: "an interpreter: hash seeds, addresses, time, random numbers, a child",
        program: &[
            "python3",
            "-c",
            "import os, random, subprocess, time\n\
             print(random.random(), time.time_ns(), hash('x'), hex(id(object())), os.getpid())\n\
             print(subprocess.run(['date', '+%N'], capture_output=True, text=True).stdout, end='')",
        ],
    },
];

/// Builds, then plays every scene; fails if a replay differs from its recording.
pub fn run() -> Result<()> {
    let imitate = build_release()?.join("imitate");
    let traces = tempfile::tempdir().context("cannot make a temporary directory for the traces")?;
    let mut played = 0;
    for scene in SCENES {
        if !installed(scene.program[0]) {
            println!("\n{} is not installed here, so that scene is left out.", scene.program[0]);
            continue;
        }
        played += 1;
        play(scene, &imitate, &traces.path().join(played.to_string()))?;
    }
    println!("\n{played} of {played} programs: the replay gave the same bytes and the same exit status.");
    Ok(())
}

fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

fn play(scene: &Scene, imitate: &Path, trace: &Path) -> Result<()> {
    println!("\n== {}: {}", scene.program[0], scene.why);
    let mut native = Command::new(scene.program[0]);
    native.args(&scene.program[1..]);
    show("as it is", &finish(native)?);

    let mut record = Command::new(imitate);
    record.arg("record").arg("--output").arg(trace).arg("--").args(scene.program);
    let recorded = finish(record)?;
    show("recorded", &recorded);

    let mut replay = Command::new(imitate);
    replay.arg("replay").arg(trace);
    let replayed = finish(replay)?;
    show("replayed", &replayed);

    ensure!(recorded.stdout == replayed.stdout, "{}: the replay's stdout differs", scene.program[0]);
    ensure!(recorded.stderr == replayed.stderr, "{}: the replay's stderr differs", scene.program[0]);
    ensure!(
        recorded.status == replayed.status,
        "{}: recorded {}, replayed {}",
        scene.program[0],
        recorded.status,
        replayed.status
    );
    Ok(())
}

fn finish(mut command: Command) -> Result<Output> {
    command.output().with_context(|| format!("cannot run `{}`", shown(&command)))
}

fn show(title: &str, output: &Output) {
    println!("-- {title} ({})", output.status);
    print!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
}
