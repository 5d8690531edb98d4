//! What there is to say of each hand-over that was found: where the thread was, and what others did before it ran again.

use super::super::family::{Family, text};
use super::super::recording::Recording;
use super::super::watched::{Captured, Images, Space};
use super::places::{self, Listed, Tenure};
use super::{Answer, Rate};
use crate::inspect::event_text;
use crate::place::Place;
use crate::run::{Accesses, HandOverPlace, watch};
use anyhow::Result;
use serde::Serialize;
use std::path::Path;
use tracer_core::session::schedule::{ANY, is_incidental, place};
use tracer_core::trace::reader::{Body, Event};

/// How many events of a thread that runs meanwhile are shown.
const SHOWN: usize = 3;

/// A hand-over, as `--json` shows it.
#[derive(Serialize)]
pub struct Row {
    /// The thread that ran.
    pub from: Thread,
    /// Where it was.
    pub place: HandOverPlace,
    /// The event that it was about to log, as `dump` shows it, or the function that it was about to call.
    pub before: Option<String>,
    /// As `STREAM:EVENT`, in the trace that is kept if that fails with the hand-overs.
    pub event: Place,
    /// Between two instructions: the address of the second.
    pub address: Option<u64>,
    /// And at which of the thread's passages since its last hook.
    pub passages: Option<u64>,
    /// Its stack, innermost function first.
    pub stack: Vec<String>,
    /// The thread that ran then.
    pub to: Thread,
    /// Who ran until the thread ran again.
    pub meanwhile: Vec<Stretch>,
    /// How often the program fails with all the others.
    pub without: Rate,
}

/// A thread.
#[derive(Clone, Serialize)]
pub struct Thread {
    /// The process's id.
    pub process: u32,
    /// The thread's.
    pub thread: u32,
    /// Its name, or its program's.
    pub name: String,
}

/// What a thread did in a turn.
#[derive(Serialize)]
pub struct Stretch {
    /// Which thread.
    pub thread: Thread,
    /// The first of its events, as `dump` shows them.
    pub events: Vec<String>,
    /// How many there are.
    pub count: usize,
    /// Its stack at the end of the turn.
    pub stack: Vec<String>,
    /// It does nothing after that.
    pub is_last: bool,
}

/// A recording with the hand-overs that were found, and only these.
struct Shown {
    recording: Recording,
    family: Family,
    list: Vec<Listed>,
    tenures: Vec<Tenure>,
    images: Images,
    stacks: Captured,
    stops: Vec<(u32, u64, u64)>,
}

/// What there is to say of the answer, from the trace in `directory`, which was made with it.
pub fn rows(directory: &Path, answer: &Answer) -> Result<Vec<Row>> {
    let recording = Recording::open(directory)?;
    let family = Family::of(&recording);
    let (list, tenures) = places::hand_overs(&recording, &family)?;
    let images = Images::of(directory, &recording, &family)?;
    let told = watch(directory, Accesses::HandOvers)?;
    let stops = told.stops().collect();
    let stacks = Captured::read(&told.records);
    let shown = Shown { recording, family, list, tenures, images, stacks, stops };
    let found = answer.part.iter().zip(&answer.without);
    found.map(|(at, without)| shown.row(&answer.list[*at], *without)).collect()
}

impl Shown {
    fn row(&self, wanted: &Listed, without: Rate) -> Result<Row> {
        // One that was not made is told as it was in the other trace, as far as that is known.
        let made = self.list.iter().find(|listed| self.is_same(listed, wanted));
        let listed = made.unwrap_or(wanted);
        let place = HandOverPlace::of(listed.hand_over.place);
        let at_stop = place == HandOverPlace::Stop;
        let stack = self.stack(listed.from, listed.event);
        let before = match place {
            HandOverPlace::Stop => None,
            HandOverPlace::Point => {
                stack.first().map(|function| function.split(" at ").next().unwrap_or_default().to_owned())
            }
            _ => self.next_event(listed.from, listed.event)?.map(|event| shown(&event)),
        };
        Ok(Row {
            from: self.thread(listed.from),
            place,
            before,
            event: Place { stream: listed.from, event: listed.event },
            address: at_stop.then_some(listed.hand_over.address),
            passages: at_stop.then_some(wanted.hand_over.passages),
            stack,
            to: self.thread(listed.to),
            meanwhile: if made.is_some() { self.meanwhile(listed)? } else { Vec::new() },
            without,
        })
    }

    fn is_same(&self, listed: &Listed, wanted: &Listed) -> bool {
        let [one, other] = [&listed.hand_over, &wanted.hand_over];
        let passages = |listed: &Listed| {
            let stop =
                self.stops.iter().find(|(stream, event, _)| (*stream, *event) == (listed.from, listed.event));
            stop.map(|(_, _, passages)| *passages)
        };
        (one.thread, one.target, one.events, one.place, one.address)
            == (other.thread, other.target, other.events, other.place, other.address)
            && (one.points == other.points || one.points == ANY || other.points == ANY)
            && (one.place != place::STOP || passages(listed) == Some(other.passages))
    }

    fn thread(&self, stream: u32) -> Thread {
        let (process, thread, name) = self.family.who(stream);
        Thread { process, thread, name }
    }

    /// Where the thread's turn ended, before its event with this number.
    fn stack(&self, stream: u32, event: u64) -> Vec<String> {
        let space = self.space(stream);
        // A turn is an event that has been taken then; at its end a stream has none.
        let told = [event + 1, event].map(|event| self.stacks.of(stream, event, space, &self.images));
        let mut stack = told.into_iter().find(|stack| !stack.is_empty()).unwrap_or_default();
        // What calls `main` is the same in all programs.
        if let Some(main) = stack.iter().position(|function| function.starts_with("main at ")) {
            stack.truncate(main + 1);
        }
        stack
    }

    /// The last address space of a stream.
    fn space(&self, stream: u32) -> Space {
        let leader = self.family.leader(stream);
        let starts = self.recording.events(leader).into_iter().flatten().flatten();
        let begun = starts.filter(|event| matches!(event.body, Body::Start { .. })).count();
        (leader, begun as u32)
    }

    /// The thread's event that comes behind a turn.
    fn next_event(&self, stream: u32, from: u64) -> Result<Option<Event>> {
        Ok(self.events(stream, from, u64::MAX)?.0.into_iter().next())
    }

    /// The first events of a stream between two, and how many there are, without those that say who ran.
    fn events(&self, stream: u32, from: u64, to: u64) -> Result<(Vec<Event>, usize)> {
        let (mut first, mut count) = (Vec::new(), 0);
        for event in self.recording.events(stream).into_iter().flatten() {
            let event = event?;
            if event.index >= to {
                break;
            }
            let is_shown = matches!(event.body, Body::Call { .. } | Body::Signal { .. });
            if event.index < from || !is_shown && is_incidental(event.kind, event.number) {
                continue;
            }
            count += 1;
            if first.len() < SHOWN {
                first.push(event);
            }
        }
        Ok((first, count))
    }

    /// The turns between the hand-over and the thread's next one.
    fn meanwhile(&self, listed: &Listed) -> Result<Vec<Stretch>> {
        let behind =
            self.tenures.iter().filter(|tenure| tenure.domain == listed.domain && tenure.turn >= listed.turn);
        let until = behind.take_while(|tenure| tenure.stream != listed.from);
        until
            .map(|tenure| {
                let (events, count) = self.events(tenure.stream, tenure.begin, tenure.end)?;
                Ok(Stretch {
                    thread: self.thread(tenure.stream),
                    events: events.iter().map(shown).collect(),
                    count,
                    stack: self.stack(tenure.stream, tenure.end),
                    is_last: self
                        .family
                        .members
                        .get(&tenure.stream)
                        .is_some_and(|all| all.events <= tenure.end),
                })
            })
            .collect()
    }
}

fn shown(event: &Event) -> String {
    text(event_text(event).as_bytes())
}
