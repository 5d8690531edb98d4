//! `imitate hunt`: record again and again, until a failure shows.

mod condition;

pub use condition::Condition;

use super::chaos;
use super::record::{Request, Run};
use super::trial::{self, Input, Tried, named};
use crate::arguments::{Hunt, OrderName};
use anyhow::Result;
use indicatif::ProgressBar;
use std::num::NonZeroU64;
use tracer_core::tell;

/// How a hunt ended.
pub enum Hunted {
    /// A run showed what was looked for, and its trace is kept.
    Found,
    /// None did.
    NotFound,
    /// The program cannot be executed: a shell would exit with this status.
    NotRun(i32),
    /// This signal asked the tool to end.
    Interrupted(i32),
}

/// Carries it out. What it has to say goes to stderr; the program's outputs are shown where the program wrote them.
pub fn hunt(options: &Hunt) -> Result<Hunted> {
    let until = if options.until.is_empty() { &condition::DEFAULT[..] } else { &options.until };
    let chaotic = !options.no_chaos && options.options.order == OrderName::Serial;
    let base = chaotic.then(|| chaos::seed(options.options.chaos).unwrap_or_else(chaos::random));
    let input = Input::here();
    let bar = if options.show { ProgressBar::hidden() } else { ProgressBar::new(options.runs.into()) };
    for number in 0..options.runs {
        let seed = base.map(|base| nth_seed(base, number));
        let request = Request {
            output: options.output.as_deref(),
            chaos: seed,
            ..Request::new(&options.program, &options.options)
        };
        let trial = match trial::make(&request, &input)? {
            Tried::Ran(trial) => trial,
            Tried::NotRun(status) => return Ok(Hunted::NotRun(status)),
            Tried::Interrupted(signal) => {
                bar.finish_and_clear();
                return Ok(Hunted::Interrupted(signal));
            }
        };
        let found = trial.shows(until);
        if found || options.show {
            bar.suspend(|| trial.show())?;
        }
        if found {
            bar.finish_and_clear();
            tell(&trial.run, number, options.runs, seed);
            return Ok(Hunted::Found);
        }
        if !trial.discard()? {
            tell!(
                "run {} left processes in the background, so that its trace stays: {}",
                number + 1,
                trial.run.directory.display()
            );
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let last = base.map(|base| nth_seed(base, options.runs - 1));
    let seeds = base.zip(last).map(|(first, last)| format!(" (chaos seeds {first} to {last})"));
    tell!("not found in {} runs{}", options.runs, seeds.unwrap_or_default());
    Ok(Hunted::NotFound)
}

/// The seed of run `number`, the first of which is 0.
fn nth_seed(base: NonZeroU64, number: u32) -> NonZeroU64 {
    NonZeroU64::new(base.get().wrapping_add(number.into())).unwrap_or(NonZeroU64::MIN)
}

fn tell(run: &Run, number: u32, runs: u32, seed: Option<NonZeroU64>) {
    let with = seed.map(|seed| format!(", chaos seed {seed}")).unwrap_or_default();
    tell!("run {} of {runs}{with}: {}", number + 1, run.ending);
    match &run.summary {
        Ok(summary) => {
            if let Some(reason) = &summary.ends_early {
                tell!("{}: the trace ends early: {reason}", run.directory.display());
            }
        }
        Err(error) => tell!("{error}"),
    }
    tell!("to replay it: imitate replay {}", named(&run.directory));
}
