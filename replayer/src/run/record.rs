//! `imitate record`.

use super::program::{Program, library};
use crate::arguments::{Check, CopyFiles, Record};
use crate::status::Ending;
use anyhow::{Context, Result, bail};
use indicatif::{HumanBytes, HumanCount};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use tracer_core::companion::launch::{self, Launch, own_environment, padded_library_path};
use tracer_core::companion::writer::{Place, Recording};
use tracer_core::companion::{Audience, Outcome, Role, Started, Summary, objects};
use tracer_core::session::{Mode, check_level};
use tracer_core::trace::directory;
use tracer_core::trace::files::Policy;
use tracer_core::trace::manifest::Recorder;

/// The order in which threads run, as manifests name it.
const ORDER: &str = "serial";

impl Check {
    /// As the session has it.
    pub fn level(self) -> u32 {
        match self {
            Check::Cheap => check_level::CHEAP,
            Check::Full => check_level::FULL,
        }
    }
}

impl CopyFiles {
    fn policy(self) -> Policy {
        match self {
            CopyFiles::Auto => Policy::default(),
            CopyFiles::Never => Policy { copy_limit: 0, ..Policy::default() },
            CopyFiles::All => Policy { copy_limit: u64::MAX, ..Policy::default() },
        }
    }
}

/// What became of a command that was to be recorded.
pub enum Recorded {
    /// It ran, and ended so.
    Ran(Ending),
    /// It could not be executed: a shell would exit with this status.
    NotRun(i32),
}

/// Records a program; returns when it has ended.
pub fn record(options: &Record) -> Result<Recorded> {
    let path = std::env::var_os("PATH");
    let command = match launch::find(&options.program.command, path.as_deref()) {
        Ok(command) => command,
        Err(refusal) => {
            eprintln!("imitate: {refusal}");
            return Ok(Recorded::NotRun(refusal.exit_status().into()));
        }
    };
    let library = library()?;
    let place = match &options.output {
        Some(path) => Place::At(path.clone()),
        None => Place::Library(directory::root()?),
    };
    let recording = Recording {
        place,
        executable: command.executable.clone(),
        command: options.program.command.clone(),
        directory: std::env::current_dir().context("cannot find the current directory")?,
        recorder: Recorder {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build_id: File::open(&library).ok().and_then(|file| objects::build_id(&file)).unwrap_or_default(),
        },
        order: ORDER.to_owned(),
        options: BTreeMap::new(),
        policy: options.options.copy_files.policy(),
        check: options.options.check.level(),
    };
    let library = padded_library_path(&library)?;
    let mut started = tracer_core::companion::start(Role::Record(recording), Audience::Launcher)?;
    let launch = Launch {
        executable: command.executable,
        content: None,
        arguments: command.arguments,
        environment: own_environment(variables()),
        stack_limit: None,
        mode: Mode::Record,
        library,
        session: super::session_value(&started)?,
    };
    let program = match Program::start(&launch, None) {
        Ok(program) => program,
        Err(error) => {
            discard(started);
            return Err(error);
        }
    };
    // Whoever holds these is taken for the program.
    started.program = None;
    let status = program.wait()?;
    // Without its companion there is no trace to complete; wait_done says so.
    let _ = started.root_ended(status.into_raw());
    match started.wait_done() {
        Ok(Outcome::Recorded(summary)) => tell(&summary, Ending::of(status), options.verbose),
        Ok(Outcome::Replayed(_)) => bail!("the recording's companion answered as if it had replayed"),
        // The program has run all the same, and its status is what counts.
        Err(error) => eprintln!("imitate: {error}"),
    }
    Ok(Recorded::Ran(Ending::of(status)))
}

/// This process's environment, as `NAME=value`.
fn variables() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(mut variable, value)| {
        variable.push("=");
        variable.push(value);
        variable
    })
}

/// Removes the trace of a program that did not start.
fn discard(mut started: Started) {
    // The companion ends when it hears that there is no program; then nobody writes to the trace any more.
    if started.wait_done().is_ok()
        && let Err(error) = directory::remove(&started.directory)
    {
        eprintln!("imitate: the trace of a program that did not start is left over: {error}");
    }
}

fn tell(summary: &Summary, ending: Ending, verbose: bool) {
    let directory = summary.directory.display();
    // What was killed has no more to record, and everybody sees that it was.
    let expected = matches!(ending, Ending::Killed(_));
    if let Some(reason) = &summary.ends_early
        && (verbose || !expected)
    {
        eprintln!("imitate: {directory}: the trace ends early: {reason}");
    }
    if !verbose {
        return;
    }
    for warning in &summary.warnings {
        eprintln!("imitate: {directory}: {warning}");
    }
    let going_on = if summary.still_running { " so far: processes in the background go on" } else { "" };
    eprintln!(
        "imitate: {directory}: {} events, {}, streams: {}{going_on}",
        HumanCount(summary.events),
        HumanBytes(summary.bytes),
        summary.streams,
    );
}
