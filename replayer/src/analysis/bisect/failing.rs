//! The traces that a bisection is about, and how their program is recorded again.

use super::super::family::{End, Family};
use super::super::recording::Recording;
use super::laboratory::Setting;
use crate::arguments::{Bisect, Check, CopyFiles, OrderName, Program, RecordingOptions};
use crate::run::{Condition, named};
use crate::status::Ending;
use anyhow::{Context, Result, bail};
use std::ffi::{OsStr, OsString};
use std::num::NonZeroU64;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use tracer_core::companion::objects;
use tracer_core::session::Order;
use tracer_core::trace::directory;
use tracer_core::trace::reader::{Body, Item};

/// A trace with chaos.
pub struct Subject {
    /// Where it is.
    pub directory: PathBuf,
    /// What is in it.
    pub recording: Recording,
    /// Its threads.
    pub family: Family,
    /// Its seed.
    pub seed: NonZeroU64,
}

impl Subject {
    /// The trace in `directory`.
    ///
    /// Errors: it cannot be read, or has no chaos.
    pub fn open(directory: &Path) -> Result<Subject> {
        let directory = std::path::absolute(directory).context("cannot find the current directory")?;
        let recording = Recording::open(&directory)?;
        if recording.manifest.order() == Order::Sync {
            bail!(
                "{} was recorded with --order sync, in which threads run in parallel; record it with chaos, with \
                 `imitate hunt` or `imitate record --chaos`",
                named(&directory)
            );
        }
        let Some(seed) = recording.manifest.chaos().and_then(NonZeroU64::new) else {
            bail!(
                "{} is not a recording with chaos; bisect takes those of `imitate hunt` or `imitate record --chaos`",
                named(&directory)
            );
        };
        let family = Family::of(&recording);
        Ok(Subject { directory, recording, family, seed })
    }

    /// As its user calls it.
    pub fn name(&self) -> String {
        named(&self.directory)
    }

    /// The command line.
    pub fn command(&self) -> Vec<OsString> {
        let words = self.recording.manifest.command.iter();
        words.map(|word| word.as_path().as_os_str().to_owned()).collect()
    }

    /// How the program ended, if that is known.
    pub fn ending(&self) -> Option<Ending> {
        match self.family.members.get(&0).map(|first| &first.end) {
            Some(End::Ended(ending)) => Some(*ending),
            _ => None,
        }
    }

    /// The environment of the first process, as `NAME=value`.
    fn environment(&self) -> Result<Vec<OsString>> {
        let mut events = self.recording.events(0).into_iter().flatten();
        let Some(first) = events.next().transpose()? else { return Ok(Vec::new()) };
        let Body::Start { items } = &first.body else { return Ok(Vec::new()) };
        let environment = items.iter().find_map(|item| match item {
            Item::Environment { strings } => Some(strings),
            _ => None,
        });
        let strings = environment.into_iter().flatten();
        Ok(strings.map(|string| OsStr::from_bytes(string).to_owned()).collect())
    }
}

/// How the failing program is recorded again: in the directory and with the environment in which it was recorded. This process
/// goes to that directory.
///
/// Errors: the program is not what it was, the directory is gone, or what is looked for makes no sense.
pub fn setting(failing: &Subject, passing: Option<&Subject>, options: &Bisect) -> Result<Setting> {
    let command = failing.command();
    if let Some(passing) = passing.filter(|passing| passing.command() != command) {
        bail!("{} and {} are of different command lines", failing.name(), passing.name());
    }
    let manifest = &failing.recording.manifest;
    let program = manifest.processes.first().map(|process| &process.executable);
    let object = manifest.objects.iter().find(|object| Some(&object.path) == program);
    if let Some(Err(change)) = object.map(objects::verify) {
        bail!("{} cannot be recorded again: {change}", failing.name());
    }
    let failure = failure(failing, passing, &options.until)?;
    let place = manifest.directory.as_path();
    let environment = failing.environment()?;
    let absolute = |path: &Path| std::path::absolute(path).context("cannot find the current directory");
    let storage = absolute(&directory::root()?)?;
    let [output, list] =
        [&options.output, &options.list].map(|path| path.as_deref().map(absolute).transpose());
    let (output, list) = (output?, list?);
    std::env::set_current_dir(place).with_context(|| {
        format!("cannot go to {}, where {} was recorded", place.display(), failing.name())
    })?;
    Ok(Setting {
        program: Program { command },
        options: RecordingOptions {
            check: Check::Cheap,
            copy_files: CopyFiles::Auto,
            compression: 1,
            order: OrderName::Serial,
            chaos: None,
            cpu: failing.recording.manifest.processor().map(str::parse).transpose()?,
            cpu_strict: false,
        },
        seed: failing.seed,
        environment,
        failure,
        storage,
        output,
        list,
    })
}

/// What a failure is: what the user says, or how the failing trace ended.
fn failure(failing: &Subject, passing: Option<&Subject>, until: &[Condition]) -> Result<Vec<Condition>> {
    let ending = failing.ending();
    let failure = match (until, ending) {
        ([], Some(Ending::Exited(0))) => bail!(
            "{} ended with exit 0; say with --until what its failure is, such as --until 'match RE'",
            failing.name()
        ),
        ([], Some(Ending::Exited(status))) => vec![Condition::Exit(status)],
        ([], Some(Ending::Killed(signal))) => vec![Condition::Signal(Some(signal))],
        ([], None) => {
            bail!("how {} ended is not known; say with --until what its failure is", failing.name())
        }
        (until, _) => until.to_vec(),
    };
    // What a program wrote is not in its trace.
    let is_known = !failure.iter().any(|condition| matches!(condition, Condition::Match(_)));
    let meets = |ending: Option<Ending>| {
        let written = [Vec::new(), Vec::new()];
        ending.map(|ending| failure.iter().any(|condition| condition.is_met(ending, &written)))
    };
    if is_known && let (Some(false), Some(ending)) = (meets(ending), ending) {
        bail!("{} ended with {ending}, which is not what --until says", failing.name());
    }
    if is_known && let Some(passing) = passing.filter(|passing| meets(passing.ending()) == Some(true)) {
        bail!("{} fails, too, and the second trace has to be one that passes", passing.name());
    }
    Ok(failure)
}
