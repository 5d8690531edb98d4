//! The hand-overs of a recording, as a list that another one can make ([`tracer_core::session::schedule`]).

use super::super::family::Family;
use super::super::order::created_streams;
use super::super::recording::Recording;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use tracer_core::event::{Kind, turn};
use tracer_core::session::schedule::{self, ANY, HandOver, place};
use tracer_core::trace::reader::{Body, Event, Item};

/// The threads among which the right to run goes round, by the first stream of their process and how many images that had
/// begun; or those of all processes that share memory.
pub type Domain = (u32, u32);

/// All processes that share memory.
const SHARED: Domain = (u32::MAX, 0);

/// A hand-over of a recording.
#[derive(Clone, Debug)]
pub struct Listed {
    /// How another recording makes it.
    pub hand_over: HandOver,
    /// The stream of the thread that ran.
    pub from: u32,
    /// The event of that stream at which its turn ended; where the stream has ended, how many it has.
    pub event: u64,
    /// The stream of the thread that ran then; of a stop that nobody else profited from, the same.
    pub to: u32,
    /// Where the turns are counted.
    pub domain: Domain,
    /// The number of the turn that began.
    pub turn: u64,
}

impl Listed {
    /// Whether somebody else ran. Else it only says how often the thread has come somewhere, which is counted from it on.
    pub fn changes_over(&self) -> bool {
        self.from != self.to
    }
}

/// A stretch in which one thread had the right to run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Where the turns are counted.
    pub domain: Domain,
    /// Its number there.
    pub turn: u64,
    /// The thread's stream.
    pub stream: u32,
    /// The thread's first event in it.
    pub begin: u64,
    /// The event behind its last one.
    pub end: u64,
}

/// Where a turn ended.
struct End {
    stream: u32,
    event: u64,
    hand_over: HandOver,
}

/// Where one began.
struct Begin {
    stream: u32,
    /// The thread's lineage then.
    lineage: u64,
    /// The event behind.
    event: u64,
    /// How the turn before ended, as [`turn::ended`] has it.
    before: u16,
    /// Points that the thread had passed.
    points: u64,
}

/// What is known of a stream at its beginning.
#[derive(Clone, Copy)]
struct Birth {
    lineage: u64,
    domain: Domain,
}

/// The turns of a recording.
#[derive(Default)]
struct Turns {
    began: BTreeMap<(Domain, u64), Begin>,
    ended: HashMap<(Domain, u64), End>,
    births: HashMap<u32, Birth>,
}

/// The hand-overs of a recording, and its tenures, those of each domain in their order.
///
/// Errors: an event cannot be read.
pub fn hand_overs(recording: &Recording, family: &Family) -> Result<(Vec<Listed>, Vec<Tenure>)> {
    let mut turns = Turns::default();
    turns.births.insert(0, Birth { lineage: schedule::FIRST, domain: (0, 0) });
    // Whoever creates a stream has a lower number.
    for stream in recording.streams() {
        turns.read(recording, family, stream)?;
    }
    Ok((turns.list(), turns.tenures()))
}

impl Turns {
    fn read(&mut self, recording: &Recording, family: &Family, stream: u32) -> Result<()> {
        let Some(Birth { lineage, mut domain }) = self.births.get(&stream).copied() else { return Ok(()) };
        let is_thread = family.members.get(&stream).is_some_and(|member| member.is_thread);
        let mut here = HandOver { thread: lineage, ..HandOver::default() };
        // A process's first turn is not in the log.
        let mut turn = (!is_thread).then_some((domain, 0));
        let (mut created, mut stopped, mut count) = (0, None, 0);
        for event in recording.events(stream).into_iter().flatten() {
            let event = event?;
            count = event.index + 1;
            if let Body::Turn { turn: number, spins } = event.body {
                here.points += spins;
                if let Some(turn) = turn {
                    let hand_over = HandOver { address: stopped.unwrap_or(0), ..here };
                    self.ended.insert(turn, End { stream, event: event.index, hand_over });
                }
                let next = (if event.flags & turn::SHARED != 0 { SHARED } else { domain }, number);
                let begin = Begin {
                    stream,
                    lineage: here.thread,
                    event: event.index + 1,
                    before: event.number,
                    points: here.points,
                };
                self.began.insert(next, begin);
                turn = Some(next);
            }
            stopped = stop(&event);
            if event.kind == Kind::Start {
                domain = (stream, domain.1 + 1);
                here = HandOver { thread: schedule::image(here.thread), ..HandOver::default() };
                (turn, created) = (Some((domain, 0)), 0);
            }
            here.events += u64::from(!schedule::is_incidental(event.kind, event.number));
            for child in created_streams(&event) {
                created += 1;
                let shares = family.members.get(&child).is_some_and(|member| member.is_thread);
                let domain = if shares { domain } else { (child, 0) };
                let lineage = schedule::child(here.thread, created);
                self.births.entry(child).or_insert(Birth { lineage, domain });
            }
        }
        if let Some(turn) = turn {
            let hand_over = HandOver { points: ANY, ..here };
            self.ended.insert(turn, End { stream, event: count, hand_over });
        }
        Ok(())
    }

    fn tenures(&self) -> Vec<Tenure> {
        let began = self.began.iter().filter_map(|(key, begin)| Some((key, begin, self.ended.get(key)?)));
        began
            .map(|(&(domain, turn), begin, end)| Tenure {
                domain,
                turn,
                stream: begin.stream,
                begin: begin.event,
                end: end.event,
            })
            .collect()
    }

    fn list(&self) -> Vec<Listed> {
        let mut list = Vec::new();
        for (&(domain, number), begin) in &self.began {
            let Some(before) = number.checked_sub(1) else { continue };
            let Some(end) = self.ended.get(&(domain, before)) else { continue };
            let (place, spins) = turn::how_it_ended(begin.before);
            let HandOver { address, mut points, .. } = end.hand_over;
            // Where it spins it is stopped without a list; else a stop is listed even if nobody else profits from it.
            let is_listed = if place == place::STOP { address != 0 } else { begin.stream != end.stream };
            if !is_listed || place == 0 {
                continue;
            }
            if points == ANY {
                let at_begin = self.began.get(&(domain, before)).map_or(0, |begin| begin.points);
                points = spins.map_or(ANY, |spins| at_begin + spins);
            }
            let hand_over = HandOver { target: begin.lineage, place, points, ..end.hand_over };
            let (from, event) = (end.stream, end.event);
            list.push(Listed { hand_over, from, event, to: begin.stream, domain, turn: number });
        }
        list
    }
}

/// Where the thread was stopped, if this event says so. Threads that spin are stopped without a list.
fn stop(event: &Event) -> Option<u64> {
    let Body::Stop { items } = &event.body else { return None };
    let place = items.iter().find_map(|item| match item {
        Item::State { address, .. } => Some(address),
        _ => None,
    });
    place.filter(|_| event.number == 0)
}
