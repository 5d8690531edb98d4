//! `imitate record`.

use super::chaos;
use super::hand_overs::HandOvers;
use super::program::{Outputs, Running, library};
use super::unseen::Watch;
use super::{resolvers, sleepers};
use crate::arguments::{Check, CopyFiles, OrderName, Program, Record, RecordingOptions};
use crate::status::Ending;
use anyhow::{Context, Result, bail};
use indicatif::{HumanBytes, HumanCount};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::num::NonZeroU64;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use tracer_core::companion::launch::{self, Launch, own_environment, padded_library_path};
use tracer_core::companion::writer::{Place, Processor, Recording};
use tracer_core::companion::{Audience, Opening, Outcome, Role, Started, Summary, objects};
use tracer_core::session::schedule::{HandOver, LIST, outcome};
use tracer_core::session::{Control, Mode, check_level};
use tracer_core::tell;
use tracer_core::trace::directory;
use tracer_core::trace::files::Policy;
use tracer_core::trace::manifest::{Manifest, Recorder};

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

/// A recording to be made.
#[derive(Clone, Copy)]
pub struct Request<'a> {
    /// The command line.
    pub program: &'a Program,
    /// Where the trace goes; else into the storage directory.
    pub output: Option<&'a Path>,
    /// The storage directory, if it is not the usual one.
    pub storage: Option<&'a Path>,
    /// How.
    pub options: &'a RecordingOptions,
    /// The seed, if there is to be chaos.
    pub chaos: Option<NonZeroU64>,
    /// Where the program writes, if not where this process does.
    pub outputs: Option<&'a Outputs>,
    /// Nothing is said of what a replay may miss.
    pub quiet: bool,
    /// The program's environment, as `NAME=value`, if it is not this process's.
    pub environment: Option<&'a [OsString]>,
    /// The hand-overs that are made, and no others.
    pub hand_overs: Option<&'a [HandOver]>,
}

impl<'a> Request<'a> {
    /// Of a program, recorded as `options` say, but without chaos.
    pub fn new(program: &'a Program, options: &'a RecordingOptions) -> Request<'a> {
        Request {
            program,
            output: None,
            storage: None,
            options,
            chaos: None,
            outputs: None,
            quiet: false,
            environment: None,
            hand_overs: None,
        }
    }
}

/// A recording that was made.
pub struct Run {
    /// How the program ended.
    pub ending: Ending,
    /// The trace.
    pub directory: PathBuf,
    /// What is in it, or why that is not known.
    pub summary: io::Result<Summary>,
    /// What became of the hand-overs of the list, if there was one.
    pub hand_overs: Option<Outcomes>,
}

/// What became of a list of hand-overs.
pub struct Outcomes {
    /// An [`outcome`](tracer_core::session::schedule::outcome) for each.
    pub each: Vec<u32>,
    /// Hand-overs beside the list, because a thread kept others waiting for too long.
    pub others: u32,
}

impl Outcomes {
    /// How many were made.
    pub fn made(&self) -> usize {
        self.each.iter().filter(|one| **one == outcome::MADE).count()
    }
}

/// `imitate record`: records a program; returns when it has ended.
pub fn record(options: &Record) -> Result<Recorded> {
    let listed = options.hand_overs.as_deref().map(HandOvers::read).transpose()?;
    let chaos = match &listed {
        Some(listed) => Some(listed.seed),
        None => chaos::seed(options.options.chaos),
    };
    if !options.quiet && listed.is_none() {
        chaos::tell(chaos);
    }
    let output = options.output.as_deref();
    let request = Request {
        output,
        chaos,
        quiet: options.quiet,
        hand_overs: listed.as_ref().map(|listed| &listed.list[..]),
        ..Request::new(&options.program, &options.options)
    };
    let run = match make(&request)? {
        Ok(run) => run,
        Err(status) => return Ok(Recorded::NotRun(status)),
    };
    if let Some((listed, outcomes)) = listed.zip(run.hand_overs.as_ref()).filter(|_| !options.quiet) {
        tell_what_was_made(&listed.list, outcomes);
    }
    if options.options.cpu.is_some()
        && (!options.quiet || options.options.cpu_strict)
        && let Ok(manifest) = Manifest::load(&run.directory)
        && resolvers::tell(&manifest)
        && options.options.cpu_strict
    {
        bail!("the trace in {} is not what --cpu-strict asks for", run.directory.display());
    }
    match &run.summary {
        Ok(summary) => tell(summary, run.ending, options),
        // The program has run all the same, and its status is what counts.
        Err(error) => tell!("{error}"),
    }
    Ok(Recorded::Ran(run.ending))
}

/// Records; gives what came of it when the program has ended, or, after saying why on stderr, with which status a shell
/// would exit whose program cannot be executed.
pub fn make(request: &Request) -> Result<Result<Run, i32>> {
    if request.hand_overs.is_some() && request.options.order == OrderName::Sync {
        bail!(
            "--hand-overs says which thread runs, which --order sync leaves to the kernel: use one of them"
        );
    }
    if request.chaos.is_some() && request.options.order == OrderName::Sync {
        bail!("--chaos chooses which thread runs, which --order sync leaves to the kernel: use one of them");
    }
    let path = std::env::var_os("PATH");
    let command = match launch::find(&request.program.command, path.as_deref()) {
        Ok(command) => command,
        Err(refusal) => {
            tell!("{refusal}");
            return Ok(Err(refusal.exit_status().into()));
        }
    };
    let library = library()?;
    let place = match request.output {
        Some(path) => Place::At(path.to_owned()),
        None => Place::Library(request.storage.map_or_else(directory::root, |path| Ok(path.to_owned()))?),
    };
    let recording = Recording {
        place,
        command: request.program.command.clone(),
        directory: std::env::current_dir().context("cannot find the current directory")?,
        recorder: Recorder {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            build_id: File::open(&library).ok().and_then(|file| objects::build_id(&file)).unwrap_or_default(),
        },
        order: request.options.order.order(),
        policy: request.options.copy_files.policy(),
        check: request.options.check.level(),
        chaos: request.chaos,
        processor: request.options.cpu.as_ref().map(|cpu| Processor {
            text: cpu.text.clone(),
            hidden: cpu.hidden,
            strictly: request.options.cpu_strict,
        }),
        hand_overs: request.hand_overs.map(<[HandOver]>::to_vec),
    };
    let library = padded_library_path(&library)?;
    let opening = Opening::new(Role::Record(Box::new(recording)), Audience::Launcher)?;
    let mut environment = match request.environment {
        Some(environment) => own_environment(environment.iter().cloned()),
        None => own_environment(variables()),
    };
    if let Some(cpu) = &request.options.cpu {
        // They look at the processor before our library is there; for what the program executes, that does the same.
        cpu.hidden.tell_libc(&mut environment, |variable| variable.as_bytes(), OsString::from_vec);
    }
    let launch = Launch {
        executable: command.executable,
        content: None,
        arguments: command.arguments,
        environment,
        stack_limit: None,
        mode: Mode::Record,
        library,
        session: opening.program().value(0),
        root: None,
    };
    let memory = match request.hand_overs {
        Some(_) => Some(File::from(
            opening.memory().try_clone_to_owned().context("cannot keep the session's memory")?,
        )),
        None => None,
    };
    let (mut started, program) = Running::start(opening, &launch, None, request.outputs)?;
    let program = match program {
        Ok(program) => program,
        Err(error) => {
            discard(started);
            return Err(error);
        }
    };
    // Whoever holds these is taken for the program.
    started.program = None;
    let watch = match request.options.order {
        OrderName::Sync if !request.quiet => Some(Watch::begin(started.control.clone())),
        _ => None,
    };
    let sleepers = memory.as_ref().map(|_| sleepers::begin(started.control.clone()));
    let status = program.wait()?;
    // Without its companion there is no trace to complete; wait_done says so.
    let _ = started.root_ended(status.into_raw());
    let summary = match started.wait_done() {
        Ok(Outcome::Recorded(summary)) => Ok(summary),
        Ok(Outcome::Replayed(_)) => bail!("the recording's companion answered as if it had replayed"),
        Err(error) => Err(error),
    };
    if let Some(watch) = watch {
        watch.finish(&started.directory);
    }
    if let Some(sleepers) = sleepers {
        sleepers.finish();
    }
    let hand_overs = memory.map(|memory| outcomes(&memory, &started.control)).transpose()?;
    Ok(Ok(Run { ending: Ending::of(status), directory: started.directory, summary, hand_overs }))
}

/// Says which hand-overs of a list were not made, if there are such.
fn tell_what_was_made(list: &[HandOver], outcomes: &Outcomes) {
    let wanted = list.iter().filter(|hand_over| hand_over.wanted != 0).count();
    let made = outcomes.made();
    if made < wanted {
        tell!("{made} of {wanted} hand-overs were made: the places of the others did not come");
    }
    if outcomes.others > 0 {
        tell!(
            "{} other hand-overs were made, where a thread kept others waiting for too long",
            outcomes.others
        );
    }
}

fn outcomes(memory: &File, control: &Control) -> Result<Outcomes> {
    let count = control.schedule.count.load(Ordering::Relaxed) as usize;
    let mut bytes = vec![0; count * size_of::<HandOver>()];
    memory.read_exact_at(&mut bytes, LIST as u64).context("cannot read what became of the hand-overs")?;
    let (all, _) = bytes.as_chunks();
    let each = all.iter().map(|bytes| HandOver::from_bytes(bytes).outcome).collect();
    Ok(Outcomes { each, others: control.schedule.others.load(Ordering::Relaxed) })
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
        tell!("the trace of a program that did not start is left over: {error}");
    }
}

fn tell(summary: &Summary, ending: Ending, options: &Record) {
    let directory = summary.directory.display();
    // What was killed has no more to record, and everybody sees that it was.
    let expected = matches!(ending, Ending::Killed(_));
    if let Some(reason) = &summary.ends_early
        && (options.verbose || !expected)
    {
        tell!("{directory}: the trace ends early: {reason}");
    }
    // Why a replay may not be what its user expects.
    if !options.quiet {
        for warning in &summary.warnings {
            tell!("{directory}: {warning}");
        }
    }
    if !options.verbose {
        return;
    }
    let going_on = if summary.still_running { " so far: processes in the background go on" } else { "" };
    tell!(
        "{directory}: {} events, {}, streams: {}{going_on}",
        HumanCount(summary.events),
        HumanBytes(summary.bytes),
        summary.streams,
    );
}
