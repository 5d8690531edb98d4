//! The streams of a process as one, in the order in which its threads had the right to run.
//!
//! A stream is cut into tenures by its `Turn` events; the thread that runs is followed to the end of its tenure, then the
//! lowest turn that is waiting comes next. A thread takes part from the call on that created it: the turns of an image
//! count from 0, so that after exec the same numbers come again.

use super::super::family::Family;
use super::super::recording::Recording;
use anyhow::Result;
use std::collections::BTreeMap;
use tracer_core::event::turn::SHARED;
use tracer_core::trace::Error;
use tracer_core::trace::reader::{Body, Event, Item};

/// What is left of a stream.
type Rest = std::iter::Peekable<Box<dyn Iterator<Item = std::result::Result<Event, Error>>>>;

/// Calls `take` with each event and its stream, process by process.
pub fn each_event(
    recording: &Recording,
    family: &Family,
    take: &mut impl FnMut(u32, &Event) -> Result<()>,
) -> Result<()> {
    let mut processes = BTreeMap::<u32, Vec<u32>>::new();
    for stream in recording.streams() {
        processes.entry(family.leader(stream)).or_default().push(stream);
    }
    processes.values().try_for_each(|streams| one_process(recording, streams, take))
}

fn one_process(
    recording: &Recording,
    streams: &[u32],
    take: &mut impl FnMut(u32, &Event) -> Result<()>,
) -> Result<()> {
    let open = |stream: u32| -> Option<Rest> {
        let events: Box<dyn Iterator<Item = _>> = Box::new(recording.events(stream)?);
        Some(events.peekable())
    };
    let mut taking_part = BTreeMap::<u32, Rest>::new();
    // If nobody who takes part has more, the lowest of those that nobody created does.
    let mut others = streams.iter().copied().collect::<std::collections::BTreeSet<u32>>();
    loop {
        let next = taking_part.iter_mut().filter_map(|(stream, rest)| Some((turn(rest)?, *stream))).min();
        let Some((_, stream)) = next else {
            let Some(stream) = others.pop_first() else { return Ok(()) };
            taking_part.extend(open(stream).map(|rest| (stream, rest)));
            continue;
        };
        let Some(mut rest) = taking_part.remove(&stream) else { return Ok(()) };
        // Its tenure, which may begin without a turn.
        let mut first = true;
        while let Some(event) = rest.next_if(|event| std::mem::take(&mut first) || !begins_tenure(event)) {
            let event = event?;
            take(stream, &event)?;
            for item in event.items().iter() {
                if let Item::Stream { stream: created } = item
                    && others.remove(&created)
                {
                    taking_part.extend(open(created).map(|rest| (created, rest)));
                }
            }
        }
        taking_part.insert(stream, rest);
    }
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
