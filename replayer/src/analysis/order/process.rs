//! The streams of a process as one, in the order in which its threads had the right to run.
//!
//! A stream is cut into tenures by its `Turn` events; the thread that runs is followed to the end of its tenure, then the
//! lowest turn that is waiting comes next. A thread takes part from the call on that created it: the turns of an image
//! count from 0, so that after exec the same numbers come again.

use super::super::family::Family;
use super::super::recording::Recording;
use std::collections::{BTreeMap, BTreeSet};
use std::iter::Peekable;
use tracer_core::event::turn::SHARED;
use tracer_core::trace::chunk::StreamReader;
use tracer_core::trace::reader::{Body, Event, Events, Item};
use tracer_core::trace::{Error, Result};

/// What is left of a stream.
type Rest = Peekable<Events<StreamReader>>;

/// The streams of each process, by its first.
pub fn processes(recording: &Recording, family: &Family) -> BTreeMap<u32, Vec<u32>> {
    let mut processes = BTreeMap::<u32, Vec<u32>>::new();
    for stream in recording.streams() {
        processes.entry(family.leader(stream)).or_default().push(stream);
    }
    processes
}

/// The events of one process, each with its stream. After an error there are no more.
pub struct ProcessEvents<'a> {
    recording: &'a Recording,
    /// Whose next event begins a tenure, or will be its first.
    waiting: BTreeMap<u32, Rest>,
    /// Whose creation was not met yet.
    others: BTreeSet<u32>,
    running: Option<Running>,
}

struct Running {
    stream: u32,
    rest: Rest,
    /// A tenure may begin without a turn, or with one.
    first: bool,
}

impl<'a> ProcessEvents<'a> {
    /// The events of a process with these streams.
    pub fn new(recording: &'a Recording, streams: &[u32]) -> ProcessEvents<'a> {
        let others = streams.iter().copied().collect();
        ProcessEvents { recording, waiting: BTreeMap::new(), others, running: None }
    }

    fn admit(&mut self, stream: u32) {
        let events = self.recording.events(stream);
        self.waiting.extend(events.map(|events| (stream, events.peekable())));
    }

    /// Chooses who runs next; false if nobody has more.
    fn hand_over(&mut self) -> bool {
        if let Some(Running { stream, rest, .. }) = self.running.take() {
            self.waiting.insert(stream, rest);
        }
        loop {
            let next =
                self.waiting.iter_mut().filter_map(|(stream, rest)| Some((turn(rest)?, *stream))).min();
            if let Some((_, stream)) = next
                && let Some(rest) = self.waiting.remove(&stream)
            {
                self.running = Some(Running { stream, rest, first: true });
                return true;
            }
            // If nobody who takes part has more, the lowest of those that nobody created does.
            self.waiting.clear();
            let Some(stream) = self.others.pop_first() else { return false };
            self.admit(stream);
        }
    }
}

impl Iterator for ProcessEvents<'_> {
    type Item = Result<(u32, Event)>;

    fn next(&mut self) -> Option<Result<(u32, Event)>> {
        loop {
            if let Some(running) = &mut self.running {
                let (stream, first) = (running.stream, &mut running.first);
                let next = running.rest.next_if(|event| std::mem::take(first) || !begins_tenure(event));
                if let Some(event) = next {
                    if let Ok(event) = &event {
                        for created in created_streams(event) {
                            if self.others.remove(&created) {
                                self.admit(created);
                            }
                        }
                    } else {
                        (self.running, self.waiting, self.others) = Default::default();
                    }
                    return Some(event.map(|event| (stream, event)));
                }
            }
            if !self.hand_over() {
                return None;
            }
        }
    }
}

/// The streams that a call has created.
pub fn created_streams(event: &Event) -> impl Iterator<Item = u32> + '_ {
    event.items().iter().filter_map(|item| match item {
        Item::Stream { stream } => Some(stream),
        _ => None,
    })
}

fn begins_tenure(event: &std::result::Result<Event, Error>) -> bool {
    matches!(event, Ok(Event { body: Body::Turn { .. }, .. }))
}

/// When the next event comes; `None` if there is none. A process that comes to share memory counts anew, with the others.
fn turn(rest: &mut Rest) -> Option<(bool, u64)> {
    match rest.peek()? {
        Ok(Event { body: Body::Turn { turn, .. }, flags, .. }) => Some((flags & SHARED != 0, *turn)),
        _ => Some((false, 0)),
    }
}
