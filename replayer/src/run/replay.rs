//! `imitate replay`, and `replay-exec`, which gdb runs.

use super::foreground;
use super::meter::Meter;
use super::own_root::OwnRoot;
use super::program::{Outputs, Running, library};
use crate::arguments::{OnDivergence, Replay, ReplayExec};
use crate::manage::{ending, locate};
use crate::status::{Ending, signal_name};
use crate::{debugger, divergence};
use anyhow::{Context, Result, bail, ensure};
use std::convert::Infallible;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tracer_core::companion::feeder::Replaying;
use tracer_core::companion::launch::{
    Launch, Root, changed_objects, exec_program, own_environment, padded_library_path, recorded_program,
    recorded_start,
};
use tracer_core::companion::objects::build_id;
use tracer_core::companion::writer::host::processor_flags;
use tracer_core::companion::{Audience, Opening, Outcome, ReplayEnd, Role, Started};
use tracer_core::session::{Mode, check_level};
use tracer_core::trace::directory::{is_being_recorded, wait_until_recorded};
use tracer_core::trace::files::{ReferencedFile, Resolved};
use tracer_core::trace::manifest::Manifest;
use tracer_core::{message, tell};

/// Replays a trace; gives how this process is to end.
pub fn replay(options: &Replay) -> Result<Ending> {
    let directory = locate(options.which.trace.as_deref())?;
    if is_being_recorded(&directory)? {
        tell!(
            "{} is still being recorded; waiting until the last of its processes has ended",
            directory.display()
        );
        wait_until_recorded(&directory)?;
    }
    if let Some(place) = options.gdb {
        needs_own_root(&Manifest::load(&directory)?)?;
        match debugger::debug(&directory, options.check, place, &options.gdb_arguments)? {}
    }
    let recorded = ending(&Manifest::load(&directory)?);
    // What was asked to end, and passed that on to the program, ends as asked.
    let failed = || match foreground::asked_to_end() {
        Some(signal) => Ending::Killed(signal),
        None => Ending::Exited(Ending::failed_replay(recorded)),
    };
    match play(&directory, options.check.level(), !options.quiet, None) {
        Ok((ended, ReplayEnd::Finished)) => match other_end(recorded, ended) {
            None => Ok(ended),
            Some(difference) => {
                tell!("{difference}");
                Ok(failed())
            }
        },
        Ok((_, ReplayEnd::EndsEarly(how))) => {
            tell!("{}: the recording ends here: {how}", directory.display());
            Ok(recorded.filter(|ending| matches!(ending, Ending::Killed(_))).unwrap_or_else(failed))
        }
        // What a signal from the user does to the program's processes is no news.
        Ok((_, ReplayEnd::Diverged(_) | ReplayEnd::Failed(_))) if foreground::asked_to_end().is_some() => {
            Ok(failed())
        }
        Ok((_, ReplayEnd::Diverged(report))) => {
            message::write(&report);
            if options.on_divergence == OnDivergence::Gdb {
                let place = divergence::place(&report).context("the report does not say at which event")?;
                match debugger::debug(&directory, options.check, Some(place), &[])? {}
            }
            Ok(failed())
        }
        Ok((_, ReplayEnd::Failed(reason))) => {
            tell!("the replay had to stop: {reason}");
            Ok(failed())
        }
        Err(error) => {
            tell!("{error:#}");
            Ok(failed())
        }
    }
}

/// How the program of a replay that came to its end ended, if not as the recorded one.
pub fn other_end(recorded: Option<Ending>, ended: Ending) -> Option<String> {
    let recorded = recorded.filter(|recorded| *recorded != ended)?;
    Some(format!("the recorded program ended with {recorded}, the replay with {ended}"))
}

/// Replays with these outputs, or the tool's own, and says how far it has come, if asked.
fn play(
    directory: &Path,
    check: u32,
    is_measured: bool,
    outputs: Option<&Outputs>,
) -> Result<(Ending, ReplayEnd)> {
    let prepared = prepare(directory, check, false, Audience::Launcher)?;
    let Prepared { opening, launch, working_directory, content: _content, root: _root } = prepared;
    let (started, program) = Running::start(opening, &launch, Some(&working_directory), outputs)?;
    let program = program?;
    let meter = if is_measured { Meter::new(directory, &started) } else { None };
    finish(started, &program, || meter.map(Meter::run))
}

/// Replays the trace in `directory` with these outputs; gives why that was not what was recorded, if so.
///
/// Errors: it cannot be replayed here.
pub fn replay_into(directory: &Path, outputs: &Outputs) -> Result<Option<String>> {
    let recorded = ending(&Manifest::load(directory)?);
    let (ended, end) = play(directory, check_level::CHEAP, false, Some(outputs))?;
    if let Some(signal) = foreground::asked_to_end() {
        // Passed on to the program, which may have ended of it as if that were its end.
        return Ok(Some(format!("{} ended the replay", signal_name(signal))));
    }
    Ok(match end {
        ReplayEnd::Finished => other_end(recorded, ended),
        // Whoever looks into the trace is told of that anyway.
        ReplayEnd::EndsEarly(_) => None,
        ReplayEnd::Diverged(report) => Some(report.trim_end().to_owned()),
        ReplayEnd::Failed(reason) => Some(format!("the replay had to stop: {reason}")),
    })
}

/// Waits for a replay's program and companion, while what `begin` gives lives.
pub fn finish<M>(
    mut started: Started,
    program: &Running,
    begin: impl FnOnce() -> M,
) -> Result<(Ending, ReplayEnd)> {
    // Whoever holds these is taken for the program.
    started.program = None;
    let meanwhile = begin();
    let status = program.wait()?;
    let told = started.root_ended(status.into_raw());
    let outcome = started.wait_done();
    drop(meanwhile);
    match outcome {
        Ok(Outcome::Replayed(end)) => Ok((Ending::of(status), end)),
        Ok(Outcome::Recorded(_)) => bail!("the replay's companion answered as if it had recorded"),
        Err(error) => Err(told.err().unwrap_or(error)).context("the replay's companion is gone"),
    }
}

/// Becomes the recorded program in this process, with a companion that answers it. Nobody waits for the
/// companion: what it has to say goes to stderr.
pub fn replay_in_place(options: &ReplayExec) -> Result<Infallible> {
    let prepared = prepare(&options.trace, options.check.level(), false, Audience::StandardError)?;
    let asked = match (&options.request, options.bell) {
        (Some(request), Some(bell)) => {
            let request = std::fs::read(request)
                .with_context(|| format!("cannot read the debugger's request {}", request.display()))?;
            Some((request, keep_bell(bell)?))
        }
        _ => None,
    };
    let mut is_understood = true;
    // Its end is the program's.
    let _started = prepared.opening.start(|control| {
        control.debugger.is_attached.store(1, Ordering::Relaxed);
        if let Some((request, bell)) = &asked {
            is_understood = control.debugger.adopt(request);
            control.debugger.bell.store(*bell as u64 + 1, Ordering::Relaxed);
            control.debugger.is_silent.store(1, Ordering::Relaxed);
        }
    })?;
    ensure!(is_understood, "the debugger's request is damaged");
    // As in `become_program`.
    let _ = std::env::set_current_dir(&prepared.working_directory);
    Err(exec_program(&prepared.launch).into())
}

/// Makes the program, and nobody else, inherit the descriptor, where it takes none that the program's files would have.
fn keep_bell(bell: i32) -> Result<i32> {
    const NUMBER: i32 = 900;
    // SAFETY: plain system calls; the descriptor is the debugger's gift, and nothing else here uses it.
    let kept = unsafe { libc::fcntl(bell, libc::F_DUPFD, NUMBER) };
    ensure!(
        kept >= 0,
        "the debugger's descriptor {bell} cannot be used: {}",
        std::io::Error::last_os_error()
    );
    // SAFETY: as above.
    unsafe { libc::close(bell) };
    Ok(kept)
}

/// Whether files that the recorded programs ran are not what they were, but in the trace.
///
/// Errors: they are not, or this processor cannot run them.
fn needs_own_root(manifest: &Manifest) -> Result<bool> {
    let library = library()?;
    let build = File::open(&library).ok().and_then(|file| build_id(&file)).unwrap_or_default();
    ensure!(
        build == manifest.recorder.build_id,
        "this trace was recorded by another build of imitate ({}, build id {}); {} has build id {build}",
        manifest.recorder.version,
        manifest.recorder.build_id,
        library.display()
    );
    let changed = changed_objects(manifest);
    let Some(packed) = &manifest.packed else {
        ensure!(changed.is_empty(), "this trace cannot be replayed here:\n{}", changed.join("\n"));
        return Ok(false);
    };
    let present = processor_flags();
    let hidden = manifest.hidden()?;
    // What the programs were not told of they do not need.
    let needed: Vec<&String> = packed.processor_flags.iter().filter(|flag| !hidden.hides(flag)).collect();
    let missing: Vec<&str> =
        needed.iter().filter(|flag| !present.contains(flag)).map(|flag| flag.as_str()).collect();
    ensure!(
        missing.is_empty(),
        "this trace was recorded on a processor ({}) with features that this one lacks: {}",
        manifest.host.processor,
        missing.join(" ")
    );
    let is_elsewhere = !changed.is_empty() || !packed.files.iter().all(ReferencedFile::is_in_place);
    let more = present.iter().filter(|flag| !hidden.hides(flag) && !needed.contains(flag)).count();
    if is_elsewhere && more > 0 {
        tell!(
            "this processor has {more} features that the recorded one had not; if the replay diverges, it is \
             because libc takes other functions here"
        );
    }
    Ok(is_elsewhere)
}

/// A replay that is about to begin.
pub struct Prepared {
    /// Its session.
    pub opening: Opening,
    /// Its program.
    pub launch: Launch,
    /// Where the program was started.
    pub working_directory: PathBuf,
    /// The program's content, which the launch's path leads to.
    pub content: Option<Resolved>,
    /// The file tree that it begins in, if it has one of its own.
    pub root: Option<OwnRoot>,
}

/// Makes a replay ready, which tells of synchronisation if it is to be `watched`.
pub fn prepare(directory: &Path, check: u32, watched: bool, audience: Audience) -> Result<Prepared> {
    let manifest = Manifest::load(directory)?;
    let in_own_root = needs_own_root(&manifest)?;
    let recorded = recorded_start(directory)?;
    let library = library()?;
    let root = match &manifest.packed {
        Some(packed) if in_own_root => {
            Some(OwnRoot::enter(directory, &manifest, packed, &library, &recorded)?)
        }
        _ => None,
    };
    let is_there = |id| root.is_some() && manifest.kept_programs().any(|file| file.id == id);
    let content = match recorded.content {
        Some(id) if is_there(id) => None,
        _ => recorded_program(directory, &manifest, &recorded)?,
    };
    let library = padded_library_path(&library)?;
    let on_divergence = Box::new(divergence::write_report);
    let own_root = root.is_some();
    let replaying = Replaying { directory: directory.to_owned(), check, watched, own_root, on_divergence };
    let opening = Opening::new(Role::Replay(replaying), audience)?;
    let launch = Launch {
        executable: recorded.executable,
        content: content.as_ref().map(|content| content.path.clone()),
        arguments: recorded.arguments,
        environment: own_environment(recorded.environment),
        stack_limit: Some(recorded.stack_limit),
        mode: Mode::Replay,
        library,
        session: opening.program().value(0),
        root: root
            .as_ref()
            .map(|root| Root { path: root.path().to_owned(), directory: recorded.directory.clone() }),
    };
    Ok(Prepared { opening, launch, working_directory: recorded.directory, content, root })
}
