//! Recordings of the failing program with some of the hand-overs of a list.

use super::places::Listed;
use crate::arguments::{Program, RecordingOptions};
use crate::run::{Condition, HandOvers, Input, Request, Trial, Tried, try_out};
use anyhow::{Context, Result, bail};
use indicatif::ProgressBar;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tracer_core::session::schedule::{HandOver, place};

/// How the program is recorded.
pub struct Setting {
    /// The command line.
    pub program: Program,
    /// The options.
    pub options: RecordingOptions,
    /// The seed of the failing recording.
    pub seed: NonZeroU64,
    /// The program's environment.
    pub environment: Vec<OsString>,
    /// Any of these is the failure.
    pub failure: Vec<Condition>,
    /// Where traces are kept.
    pub storage: PathBuf,
    /// Where the one of the answer goes, if not there.
    pub output: Option<PathBuf>,
    /// Where the list of the answer goes, if anywhere.
    pub list: Option<PathBuf>,
}

/// Where recordings are made.
pub struct Laboratory {
    setting: Setting,
    bar: ProgressBar,
    input: Input,
    scratch: TempDir,
}

/// Why no more recordings are made.
#[derive(Clone, Copy, Debug)]
pub enum Halt {
    /// The program cannot be executed: a shell would exit with this status.
    NotRun(i32),
    /// This signal asked the tool to end.
    Interrupted(i32),
}

impl fmt::Display for Halt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Halt::NotRun(_) => f.write_str("the program cannot be executed"),
            Halt::Interrupted(signal) => write!(f, "ended by {}", crate::status::signal_name(*signal)),
        }
    }
}

impl std::error::Error for Halt {}

/// How often something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rate {
    /// Runs that failed.
    pub failed: u32,
    /// All runs.
    pub runs: u32,
}

impl Rate {
    /// Another run.
    pub fn add(&mut self, fails: bool) {
        self.failed += u32::from(fails);
        self.runs += 1;
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failed, self.runs)
    }
}

/// A recording that was made, and whose trace is there.
pub struct Found {
    /// It shows the failure.
    pub fails: bool,
    /// How many of the hand-overs that were wanted were made, and how many were made beside.
    pub made: [usize; 2],
    trial: Box<Trial>,
}

impl Found {
    /// The trace.
    pub fn trace(&self) -> &Path {
        &self.trial.run.directory
    }

    /// Removes the trace; gives whether it showed the failure.
    pub fn discard(self) -> Result<bool> {
        if !self.trial.discard()? {
            bail!(
                "the program leaves processes in the background, and their trace in {}",
                self.trace().display()
            );
        }
        Ok(self.fails)
    }
}

impl Laboratory {
    /// One that records so.
    ///
    /// Errors: there is no place for traces.
    pub fn new(setting: Setting) -> Result<Laboratory> {
        let scratch = tempfile::Builder::new().prefix("imitate-bisect-").tempdir();
        let scratch = scratch.context("cannot make a temporary directory for traces")?;
        let bar = ProgressBar::new_spinner().with_message("recording");
        Ok(Laboratory { setting, bar, input: Input::here(), scratch })
    }

    /// Says what the recordings that follow are for, on a terminal.
    pub fn announce(&self, message: String) {
        self.bar.set_message(message);
    }

    /// No more recordings follow.
    pub fn close(&self) {
        self.bar.finish_and_clear();
    }

    /// Records with those hand-overs of the list that `wanted` names, and no others.
    pub fn with(&self, list: &[Listed], wanted: &[usize]) -> Result<Found> {
        self.making(list, wanted, Some(&self.aside()))
    }

    /// The same; the trace is to be kept.
    pub fn keeping(&self, list: &[Listed], wanted: &[usize]) -> Result<Found> {
        self.making(list, wanted, self.setting.output.as_deref())
    }

    fn making(&self, list: &[Listed], wanted: &[usize], output: Option<&Path>) -> Result<Found> {
        let hand_overs = sorted(list, wanted);
        let mut found = self.record(self.setting.seed, Some(&hand_overs), output)?;
        if let Some(outcomes) = &found.trial.run.hand_overs {
            found.made = [outcomes.made(), outcomes.others as usize];
        }
        Ok(found)
    }

    /// Records with chaos.
    pub fn with_chaos(&self, seed: NonZeroU64) -> Result<Found> {
        self.record(seed, None, Some(&self.aside()))
    }

    /// Writes those hand-overs to the file that the user named, if one was.
    pub fn write(&self, list: &[Listed], wanted: &[usize]) -> Result<()> {
        let Some(path) = &self.setting.list else { return Ok(()) };
        // Those that are left out are needed where the way to others leads by them.
        let list = sorted(list, wanted)
            .into_iter()
            .filter(|one| one.wanted != 0 || one.place == place::STOP)
            .collect();
        HandOvers { seed: self.setting.seed, list }.write(path)
    }

    /// How often it fails with those hand-overs.
    pub fn rate(&self, list: &[Listed], wanted: &[usize], runs: u32) -> Result<Rate> {
        let mut rate = Rate::default();
        for _ in 0..runs {
            rate.add(self.with(list, wanted)?.discard()?);
        }
        Ok(rate)
    }

    /// A place for a trace that is not there.
    fn aside(&self) -> PathBuf {
        self.scratch.path().join(self.bar.position().to_string())
    }

    fn record(
        &self,
        seed: NonZeroU64,
        hand_overs: Option<&[HandOver]>,
        output: Option<&Path>,
    ) -> Result<Found> {
        let Setting { program, options, environment, failure, storage, .. } = &self.setting;
        let request = Request {
            output,
            storage: Some(storage),
            chaos: Some(seed),
            environment: Some(environment),
            hand_overs,
            ..Request::new(program, options)
        };
        self.bar.inc(1);
        match try_out(&request, &self.input)? {
            Tried::Ran(trial) => Ok(Found { fails: trial.shows(failure), made: [0; 2], trial }),
            Tried::NotRun(status) => Err(Halt::NotRun(status).into()),
            Tried::Interrupted(signal) => Err(Halt::Interrupted(signal).into()),
        }
    }
}

/// A list as the library wants it: a thread's hand-overs in a row.
pub fn sorted(list: &[Listed], wanted: &[usize]) -> Vec<HandOver> {
    let mut numbers = HashMap::new();
    for listed in list {
        let next = numbers.len();
        numbers.entry(listed.hand_over.thread).or_insert(next);
    }
    let mut places: Vec<usize> = (0..list.len()).collect();
    places.sort_by_key(|place| (numbers[&list[*place].hand_over.thread], list[*place].event));
    let hand_over = |place: usize| {
        let is_wanted = list[place].changes_over() && wanted.contains(&place);
        HandOver { wanted: is_wanted.into(), ..list[place].hand_over }
    };
    places.into_iter().map(hand_over).collect()
}
