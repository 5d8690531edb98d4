//! Recordings of the failing program with some of the hand-overs of a list.

use super::places::Listed;
use crate::arguments::{Program, RecordingOptions};
use crate::run::{Condition, Input, Outcomes, Request, Trial, Tried, try_out};
use anyhow::{Context, Result};
use indicatif::ProgressBar;
use std::collections::HashMap;
use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tracer_core::session::schedule::HandOver;

/// Where recordings are made.
pub struct Laboratory {
    /// The command line.
    pub program: Program,
    /// How it is recorded.
    pub options: RecordingOptions,
    /// The seed of the failing recording.
    pub seed: NonZeroU64,
    /// The program's environment.
    pub environment: Vec<OsString>,
    /// Any of these is the failure.
    pub failure: Vec<Condition>,
    /// Shows how many recordings were made.
    pub bar: ProgressBar,
    input: Input,
    scratch: TempDir,
}

/// Why no more recordings are made.
#[derive(Debug)]
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
            Halt::Interrupted(_) => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for Halt {}

/// What came of a recording.
pub struct Found {
    /// It shows the failure.
    pub fails: bool,
    /// What became of the hand-overs, in the order of the list; of chaos nothing.
    pub outcomes: Option<Outcomes>,
    /// The trace, if it is kept.
    pub trace: Option<PathBuf>,
    /// How the program ended.
    pub ending: String,
}

/// How often something failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Rate {
    /// Runs that failed.
    pub failed: u32,
    /// All runs.
    pub runs: u32,
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.failed, self.runs)
    }
}

impl Laboratory {
    /// One that records so.
    ///
    /// Errors: there is no place for traces.
    pub fn new(
        program: Program,
        options: RecordingOptions,
        seed: NonZeroU64,
        environment: Vec<OsString>,
        failure: Vec<Condition>,
    ) -> Result<Laboratory> {
        let scratch = tempfile::Builder::new().prefix("imitate-bisect-").tempdir();
        let scratch = scratch.context("cannot make a temporary directory for traces")?;
        let bar = ProgressBar::new_spinner().with_message("recording");
        Ok(Laboratory { program, options, seed, environment, failure, bar, input: Input::here(), scratch })
    }

    /// Records with those hand-overs of the list that `wanted` names.
    pub fn with(&self, list: &[Listed], wanted: &[usize]) -> Result<Found> {
        let listed = Sorted::of(list, wanted);
        let found = self.record(self.seed, Some(&listed.hand_overs), None)?;
        Ok(listed.in_order_of_the_list(found))
    }

    /// The same; the trace is kept, in `output` or the storage directory, if it `fails`.
    pub fn keeping(&self, list: &[Listed], wanted: &[usize], output: Option<&Path>) -> Result<Found> {
        let listed = Sorted::of(list, wanted);
        let found = self.record(self.seed, Some(&listed.hand_overs), Some(output))?;
        Ok(listed.in_order_of_the_list(found))
    }

    /// Records with chaos, and keeps a trace that does not fail.
    pub fn with_chaos(&self, seed: NonZeroU64) -> Result<Found> {
        self.record(seed, None, None)
    }

    /// `kept`: the trace of a failure goes there, or into the storage directory.
    fn record(
        &self,
        seed: NonZeroU64,
        hand_overs: Option<&[HandOver]>,
        kept: Option<Option<&Path>>,
    ) -> Result<Found> {
        let scratch = self.scratch.path().join("trace");
        let request = Request {
            output: match kept {
                Some(output) => output,
                None => Some(&scratch),
            },
            chaos: Some(seed),
            environment: Some(&self.environment),
            hand_overs,
            ..Request::new(&self.program, &self.options)
        };
        let trial = match try_out(&request, &self.input)? {
            Tried::Ran(trial) => trial,
            Tried::NotRun(status) => return Err(Halt::NotRun(status).into()),
            Tried::Interrupted(signal) => return Err(Halt::Interrupted(signal).into()),
        };
        self.bar.inc(1);
        self.judge(trial, hand_overs.is_none(), kept.is_some())
    }

    fn judge(&self, trial: Trial, keeps_others: bool, keeps_failures: bool) -> Result<Found> {
        let fails = trial.shows(&self.failure);
        let keeps = if fails { keeps_failures } else { keeps_others };
        let mut trace = None;
        if keeps {
            trace = Some(trial.run.directory.clone());
        } else if !trial.discard()? {
            anyhow::bail!("the program leaves processes in the background, which bisect cannot wait for");
        }
        let ending = trial.run.ending.to_string();
        Ok(Found { fails, outcomes: trial.run.hand_overs, trace, ending })
    }
}

/// A list as the library wants it.
struct Sorted {
    hand_overs: Vec<HandOver>,
    /// Where each of these is in the list.
    places: Vec<usize>,
}

impl Sorted {
    fn of(list: &[Listed], wanted: &[usize]) -> Sorted {
        let mut places: Vec<usize> = (0..list.len()).collect();
        places.sort_by_key(|place| (list[*place].from, list[*place].event));
        let hand_overs = places
            .iter()
            .map(|place| {
                let is_wanted = list[*place].changes_over() && wanted.contains(place);
                HandOver { wanted: is_wanted.into(), ..list[*place].hand_over }
            })
            .collect();
        Sorted { hand_overs, places }
    }

    fn in_order_of_the_list(&self, mut found: Found) -> Found {
        if let Some(outcomes) = &mut found.outcomes {
            let by_place: HashMap<usize, u32> =
                self.places.iter().copied().zip(outcomes.each.iter().copied()).collect();
            outcomes.each = (0..by_place.len()).map(|place| by_place[&place]).collect();
        }
        found
    }
}
