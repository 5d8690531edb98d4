//! `imitate diff`: where two traces of a program first differ in something that matters.

mod compare;
mod streams;

use super::family::{Family, text};
use super::order::CausalEvents;
use super::recording::Recording;
use crate::arguments::Diff;
use crate::inspect::event_text;
use crate::manage::locate;
use crate::place::Place;
use anstyle::{AnsiColor, Style};
use anyhow::{Context, Result};
use serde::Serialize;
use std::collections::{HashMap, HashSet, VecDeque};
use std::io::Write;
use streams::{Difference, Side};
use tracer_core::trace::reader::Event;

/// Prints the differences; gives whether there are any.
pub fn diff(options: &Diff) -> Result<bool> {
    let open = |name| -> Result<Recording> { Recording::open(&locate(Some(name))?) };
    let recordings = [open(&options.first)?, open(&options.second)?];
    let families = recordings.each_ref().map(Family::of);
    let sides = [0, 1].map(|at| Side { recording: &recordings[at], family: &families[at] });
    let mut differences = compare(sides.each_ref())?;
    sort(&recordings[0], &families[0], &mut differences)?;
    let count = differences.len();
    let mut out = anstream::stdout().lock();
    for (number, difference) in differences.iter().enumerate() {
        if number == 0 || options.all {
            let shown = Shown::of(difference, sides.each_ref(), options.context)?;
            if options.json {
                writeln!(out, "{}", serde_json::to_string(&shown).context("cannot write JSON")?)?;
            } else {
                shown.print(number, &mut out)?;
            }
        }
    }
    if !options.json {
        match (count, options.all) {
            (0, _) => {
                writeln!(out, "The traces are the same but for ids, times, addresses and random numbers.")?
            }
            (1, _) | (_, true) => {}
            _ => writeln!(out, "\n{} other threads or processes differ, too: --all shows where.", count - 1)?,
        }
    }
    drop(out);
    recordings.iter().for_each(Recording::warn_if_it_ends_early);
    Ok(count > 0)
}

/// The first difference of each stream and of the order in each process.
fn compare(sides: [&Side; 2]) -> Result<Vec<Difference>> {
    let [first, second] = sides.map(|side| side.family);
    let pairs = streams::pair(first, second);
    let ids = streams::ids(first, second, &pairs);
    let partners: HashMap<u32, u32> = pairs.iter().filter_map(|pair| Some((pair[0]?, pair[1]?))).collect();
    let mut differences = Vec::new();
    for pair in pairs {
        match pair {
            [Some(one), Some(other)] => {
                differences.extend(streams::in_streams(sides, [one, other], &ids)?);
                if first.leader(one) == one && second.leader(other) == other {
                    differences.extend(streams::in_hand_overs(sides, [one, other], &partners)?);
                }
            }
            streams => {
                let beginning = |stream: Option<u32>| stream.map(|stream| Place { stream, event: 0 });
                let places = streams.map(beginning);
                differences.push(Difference { aspect: compare::Aspect::Missing, places, streams });
            }
        }
    }
    Ok(differences)
}

/// Puts them into the order in which the first trace comes to them. What only the second has is last.
fn sort(recording: &Recording, family: &Family, differences: &mut [Difference]) -> Result<()> {
    let wanted: HashSet<Place> = differences.iter().filter_map(|difference| difference.places[0]).collect();
    let mut order = HashMap::new();
    for (position, event) in CausalEvents::new(recording, family).enumerate() {
        let (stream, event) = event?;
        let place = Place { stream, event: event.index };
        if wanted.contains(&place) {
            order.insert(place, position);
            if order.len() == wanted.len() {
                break;
            }
        }
    }
    let position =
        |difference: &Difference| difference.places[0].and_then(|place| order.get(&place).copied());
    differences.sort_by_key(|difference| (position(difference).unwrap_or(usize::MAX), difference.aspect));
    Ok(())
}

/// A difference, as `--json` shows it.
#[derive(Serialize)]
struct Shown {
    aspect: compare::Aspect,
    first: Half,
    second: Half,
}

/// One trace's side of it.
#[derive(Serialize)]
struct Half {
    /// Who: a thread or process.
    who: Option<String>,
    /// The event; none where the stream has ended.
    place: Option<Place>,
    /// What `dump` says of it.
    event: Option<String>,
    /// What it says of the events of the thread before.
    before: Vec<String>,
}

impl Shown {
    fn of(difference: &Difference, sides: [&Side; 2], context: usize) -> Result<Shown> {
        let half = |at: usize| half(sides[at], difference.streams[at], difference.places[at], context);
        Ok(Shown { aspect: difference.aspect, first: half(0)?, second: half(1)? })
    }

    fn print(&self, number: usize, out: &mut impl Write) -> Result<()> {
        const TITLE: Style = Style::new().bold();
        if number > 0 {
            writeln!(out)?;
        }
        writeln!(out, "{TITLE}{}{TITLE:#}", self.aspect)?;
        let styles = [AnsiColor::Red.on_default(), AnsiColor::Green.on_default()];
        for ((half, sign), style) in [(&self.first, '-'), (&self.second, '+')].into_iter().zip(styles) {
            let who = half.who.as_deref().unwrap_or("nobody");
            writeln!(out, "{style}{sign} {who}{style:#}")?;
            for line in &half.before {
                writeln!(out, "    {line}")?;
            }
            let place = half.place.map_or_else(|| "-".to_owned(), |place| place.to_string());
            let event = half.event.as_deref().unwrap_or("(nothing more)");
            writeln!(out, "{style}{sign}   {place} {event}{style:#}")?;
        }
        Ok(())
    }
}

fn half(side: &Side, stream: Option<u32>, place: Option<Place>, context: usize) -> Result<Half> {
    let member = stream.and_then(|stream| side.family.members.get(&stream));
    let who = member.map(|member| format!("{} {}", member.thread, member.short_name()));
    let mut before = VecDeque::new();
    let mut event_shown = None;
    for event in stream.and_then(|stream| side.recording.events(stream)).into_iter().flatten() {
        let event = event?;
        if place.is_some_and(|place| place.event == event.index) {
            event_shown = Some(shown(&event));
            break;
        }
        before.push_back(event);
        if before.len() > context {
            before.pop_front();
        }
    }
    let before = before.iter().map(|event| format!("{} {}", event.index, shown(event))).collect();
    Ok(Half { who, place, event: event_shown, before })
}

fn shown(event: &Event) -> String {
    text(event_text(event).as_bytes())
}
