//! `imitate bisect`: of the hand-overs of a recording that fails, the fewest that make it fail.
//!
//! The program is recorded again and again, each time with a part of the hand-overs, as a list that the library makes
//! ([`tracer_core::session::schedule`]); where the list says nothing, threads run until they wait. [`search`] chooses the
//! parts.

mod failing;
mod laboratory;
mod meanwhile;
mod places;
mod report;
mod search;

use super::family::Family;
use super::recording::Recording;
use crate::arguments::Bisect;
use crate::manage::locate;
use crate::run::{Accesses, named, watch};
use anyhow::{Result, bail};
use failing::{Subject, setting};
use laboratory::{Halt, Laboratory, Rate};
use places::Listed;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use tracer_core::session::schedule::place;
use tracer_core::tell;

/// How often the whole list, and none of it, are tried first.
const FIRST_TRIES: u32 = 5;
/// How often a part is tried at most, if the outcome varies.
const MOST_TRIES: u32 = 20;
/// How many seeds are tried for a run that passes.
const SEEDS: u64 = 50;
/// How often what was found is made smaller still, if the last check says that it can be.
const ROUNDS: usize = 3;

/// How a bisection ended.
pub enum Bisected {
    /// The hand-overs were found.
    Found,
    /// There are none, for a reason that was told.
    NotFound,
    /// The program cannot be executed: a shell would exit with this status.
    NotRun(i32),
    /// This signal asked the tool to end.
    Interrupted(i32),
}

/// What the hand-overs of the list do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// The program fails with them, and passes with none.
    Fails,
    /// It fails with none, and passes with them.
    Passes,
}

/// What was found.
struct Answer {
    effect: Effect,
    list: Vec<Listed>,
    part: Vec<usize>,
    /// With all of the part, and with each but one.
    with: Rate,
    without: Vec<Rate>,
    /// With none of the list.
    with_none: Rate,
}

/// Carries it out. The answer goes to stdout, how it goes on to stderr.
pub fn bisect(options: &Bisect) -> Result<Bisected> {
    let subject = Subject::open(&locate(Some(&options.failing))?)?;
    let passing = match &options.passing {
        Some(passing) => Some(Subject::open(&locate(Some(passing))?)?),
        None => None,
    };
    let setting = setting(&subject, passing.as_ref(), options)?;
    let laboratory = Laboratory::new(setting)?;
    let outcome = search_and_tell(options, &subject, passing.as_ref(), &laboratory);
    laboratory.close();
    match outcome {
        Ok(true) => Ok(Bisected::Found),
        Ok(false) => Ok(Bisected::NotFound),
        Err(error) => match error.downcast_ref::<Halt>() {
            Some(Halt::NotRun(status)) => Ok(Bisected::NotRun(*status)),
            Some(Halt::Interrupted(signal)) => Ok(Bisected::Interrupted(*signal)),
            None => Err(error),
        },
    }
}

/// False if there is no answer, for a reason that was told.
fn search_and_tell(
    options: &Bisect,
    subject: &Subject,
    passing: Option<&Subject>,
    laboratory: &Laboratory,
) -> Result<bool> {
    let Some(answer) = find(options, subject, passing, laboratory)? else { return Ok(false) };
    laboratory.announce("recording the answer".into());
    let shown = laboratory.with(&answer.list, &answer.part)?;
    let rows = meanwhile::rows(shown.trace(), &answer)?;
    let made = shown.made;
    shown.discard()?;
    let part = match answer.effect {
        Effect::Fails => &answer.part[..],
        Effect::Passes => &[],
    };
    let kept = kept(laboratory, &answer.list, part)?;
    laboratory.write(&answer.list, &answer.part)?;
    laboratory.close();
    report::print(&answer, &rows, made, kept.as_deref(), subject, options)?;
    Ok(true)
}

/// A trace that fails with these hand-overs only, if the program still does.
fn kept(laboratory: &Laboratory, list: &[Listed], part: &[usize]) -> Result<Option<PathBuf>> {
    for _ in 0..MOST_TRIES {
        let found = laboratory.keeping(list, part)?;
        if found.fails {
            return Ok(Some(found.trace().to_owned()));
        }
        found.discard()?;
    }
    Ok(None)
}

fn find(
    options: &Bisect,
    subject: &Subject,
    passing: Option<&Subject>,
    laboratory: &Laboratory,
) -> Result<Option<Answer>> {
    let name = subject.name();
    let list = listed(&subject.directory, &subject.recording, &subject.family)?;
    let all = changes_over(&list);
    if all.is_empty() {
        tell!("{name} has no hand-overs between threads: its failure depends on something else");
        return Ok(None);
    }
    laboratory.announce(format!("recording with all {} hand-overs", all.len()));
    let mut with_all = Rate::default();
    let mut made = 0;
    for _ in 0..FIRST_TRIES {
        let found = laboratory.with(&list, &all)?;
        made = made.max(found.made[0]);
        with_all.add(found.discard()?);
    }
    if with_all.failed == 0 {
        tell!(
            "recorded again with the {} hand-overs of {name}, {made} of which could be made, the program does not fail \
             in {} runs: its failure depends on more than who runs when, such as time, input or other processes",
            all.len(),
            with_all.runs
        );
        return Ok(None);
    }
    laboratory.announce("recording without hand-overs".into());
    let with_none = laboratory.rate(&list, &[], FIRST_TRIES)?;
    if with_none.failed == 0 {
        let tries = tries(with_all);
        let mut makes = |part: &[usize]| fails(laboratory, &list, part, tries);
        let (part, with, without) = minimal(options, laboratory, &list, all, Effect::Fails, &mut makes)?;
        return Ok(Some(Answer { effect: Effect::Fails, list, part, with, without, with_none }));
    }
    if with_none.failed < with_none.runs {
        tell!(
            "without any of the hand-overs of {name} the program fails in {with_none} runs: what it does depends on more \
             than who runs when, such as time, input or other processes"
        );
        return Ok(None);
    }
    let list = match passing {
        Some(passing) => Some(listed(&passing.directory, &passing.recording, &passing.family)?),
        None => passing_list(laboratory, subject)?,
    };
    let Some(list) = list else {
        tell!(
            "the program fails without hand-overs, and with {SEEDS} other seeds of chaos: it always fails, as far as \
             can be seen, whoever runs when"
        );
        return Ok(None);
    };
    let all = changes_over(&list);
    if fails(laboratory, &list, &all, 1)? {
        tell!(
            "the program fails without hand-overs, and with those of a run that passed, too: what it does depends on \
             more than who runs when, such as time, input or other processes"
        );
        return Ok(None);
    }
    let mut makes = |part: &[usize]| Ok(!fails(laboratory, &list, part, 1)?);
    let (part, with, without) = minimal(options, laboratory, &list, all, Effect::Passes, &mut makes)?;
    Ok(Some(Answer { effect: Effect::Passes, list, part, with, without, with_none }))
}

/// Which of the list are hand-overs to another thread.
fn changes_over(list: &[Listed]) -> Vec<usize> {
    (0..list.len()).filter(|at| list[*at].changes_over()).collect()
}

/// Of the list, the part that makes the difference; how often the program fails with it, and with each of it left out.
fn minimal(
    options: &Bisect,
    laboratory: &Laboratory,
    list: &[Listed],
    all: Vec<usize>,
    effect: Effect,
    makes: &mut dyn FnMut(&[usize]) -> Result<bool>,
) -> Result<(Vec<usize>, Rate, Vec<Rate>)> {
    let mut part = all;
    let mut round = 0;
    loop {
        round += 1;
        let chosen = |from: &[usize], places: &[usize]| places.iter().map(|at| from[*at]).collect::<Vec<_>>();
        let from = part;
        let mut asks = |places: &[usize]| {
            laboratory.announce(format!("recording with {} of {} hand-overs", places.len(), list.len()));
            makes(&chosen(&from, places))
        };
        part = chosen(&from, &search::minimise(from.len(), &mut asks)?);
        laboratory.announce("checking".into());
        let with = laboratory.rate(list, &part, options.runs)?;
        let mut without = Vec::new();
        for left_out in 0..part.len() {
            let mut rest = part.clone();
            rest.remove(left_out);
            without.push(laboratory.rate(list, &rest, options.runs)?);
        }
        // Which of them is not needed after all.
        let share = |rate: &Rate| match effect {
            Effect::Fails => rate.failed,
            Effect::Passes => rate.runs - rate.failed,
        };
        let superfluous =
            without.iter().position(|rate| 2 * share(rate) > rate.runs && share(rate) >= share(&with));
        match superfluous {
            Some(place) if round < ROUNDS && part.len() > 1 => drop(part.remove(place)),
            _ => return Ok((part, with, without)),
        }
    }
}

/// Whether the program fails with this part, in one of so many runs.
fn fails(laboratory: &Laboratory, list: &[Listed], part: &[usize], tries: u32) -> Result<bool> {
    for _ in 0..tries {
        if laboratory.with(list, part)?.discard()? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// How many runs it takes to see a failure of this rate, nineteen times of twenty.
fn tries(rate: Rate) -> u32 {
    let passes = 1.0 - f64::from(rate.failed) / f64::from(rate.runs);
    if passes <= 0.0 {
        return 1;
    }
    (0.05f64.ln() / passes.ln()).ceil().clamp(1.0, f64::from(MOST_TRIES)) as u32
}

/// The hand-overs of a trace, and for those between two instructions, at which passage.
fn listed(directory: &Path, recording: &Recording, family: &Family) -> Result<Vec<Listed>> {
    let (mut list, _) = places::hand_overs(recording, family)?;
    if list.iter().any(|listed| listed.hand_over.place == place::STOP) {
        let told = watch(directory, Accesses::HandOvers)?;
        for (stream, event, passages) in told.stops() {
            let is_it = |listed: &&mut Listed| (listed.from, listed.event) == (stream, event);
            if let Some(listed) = list.iter_mut().find(is_it) {
                listed.hand_over.passages = passages;
            }
        }
    }
    if list.len() > tracer_core::session::schedule::LONGEST {
        bail!(
            "{} has {} hand-overs; bisect can handle {}. Look for a failure in a shorter run",
            named(directory),
            list.len(),
            tracer_core::session::schedule::LONGEST
        );
    }
    Ok(list)
}

/// The hand-overs of a run that passes, found by chaos.
fn passing_list(laboratory: &Laboratory, subject: &Subject) -> Result<Option<Vec<Listed>>> {
    laboratory.announce("looking for a run that passes".into());
    for number in 1..=SEEDS {
        let seed = NonZeroU64::new(subject.seed.get().wrapping_add(number)).unwrap_or(NonZeroU64::MIN);
        let found = laboratory.with_chaos(seed)?;
        if !found.fails {
            let recording = Recording::open(found.trace())?;
            let list = listed(found.trace(), &recording, &Family::of(&recording))?;
            found.discard()?;
            return Ok(Some(list));
        }
        found.discard()?;
    }
    Ok(None)
}
