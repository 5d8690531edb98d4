//! Which streams of two traces belong together, and where their events first differ.

use super::super::family::Family;
use super::super::order::{ProcessEvents, processes};
use super::super::recording::Recording;
use super::compare::{Aspect, Ids, compare};
use crate::place::Place;
use anyhow::Result;
use std::collections::{BTreeMap, HashMap, VecDeque};
use tracer_core::event::Kind;
use tracer_core::trace::reader::Event;

/// A trace of the two.
pub struct Side<'a> {
    /// The trace.
    pub recording: &'a Recording,
    /// Its streams.
    pub family: &'a Family,
}

/// Where two traces differ.
pub struct Difference {
    /// In what.
    pub aspect: Aspect,
    /// The event of each; `None` where a stream has ended, or is not there.
    pub places: [Option<Place>; 2],
    /// The streams.
    pub streams: [Option<u32>; 2],
}

/// Pairs of streams: a creator's first child with the other's first, and so on. Those without a partner are told too.
pub fn pair(first: &Family, second: &Family) -> Vec<[Option<u32>; 2]> {
    let children = |family: &Family| {
        let mut children = HashMap::<Option<u32>, Vec<u32>>::new();
        for (stream, member) in &family.members {
            children.entry(member.creator).or_default().push(*stream);
        }
        children
    };
    let (mut of_first, mut of_second) = (children(first), children(second));
    let mut pairs = Vec::new();
    let mut parents = VecDeque::from([[None, None]]);
    while let Some([one, other]) = parents.pop_front() {
        let (ones, others) = (of_first.remove(&one), of_second.remove(&other));
        let (ones, others) = (ones.unwrap_or_default(), others.unwrap_or_default());
        for at in 0..ones.len().max(others.len()) {
            let pair = [ones.get(at).copied(), others.get(at).copied()];
            pairs.push(pair);
            if let [Some(one), Some(other)] = pair {
                parents.push_back([Some(one), Some(other)]);
            }
        }
    }
    pairs
}

/// Ids of processes and threads.
pub fn ids(first: &Family, second: &Family, pairs: &[[Option<u32>; 2]]) -> Ids {
    let mut ids = Ids::new();
    for pair in pairs {
        let [Some(one), Some(other)] = pair else { continue };
        let (Some(one), Some(other)) = (first.members.get(one), second.members.get(other)) else { continue };
        ids.insert(one.process.into(), other.process.into());
        ids.insert(one.thread.into(), other.thread.into());
    }
    ids
}

/// The first difference between the events of two streams, whoever ran meanwhile.
pub fn in_streams(sides: [&Side; 2], streams: [u32; 2], ids: &Ids) -> Result<Option<Difference>> {
    let open = |at: usize| {
        sides[at]
            .recording
            .events(streams[at])
            .into_iter()
            .flatten()
            .filter(|event| counts(event.as_ref().ok()))
    };
    let (mut ones, mut others) = (open(0), open(1));
    loop {
        let (one, other) = (ones.next().transpose()?, others.next().transpose()?);
        let aspect = match (&one, &other) {
            (None, None) => return Ok(None),
            (Some(one), Some(other)) => compare(one, other, ids),
            _ => Some(Aspect::Call),
        };
        if let Some(aspect) = aspect {
            let place = |at: usize, event: Option<Event>| {
                event.map(|event: Event| Place { stream: streams[at], event: event.index })
            };
            return Ok(Some(Difference {
                aspect,
                places: [place(0, one), place(1, other)],
                streams: streams.map(Some),
            }));
        }
    }
}

/// Whether an event is the program's. When others run is compared by itself.
fn counts(event: Option<&Event>) -> bool {
    event.is_none_or(|event| !matches!(event.kind, Kind::Turn | Kind::Check | Kind::Note | Kind::Stop))
}

/// The first difference in who ran in two processes.
pub fn in_hand_overs(
    sides: [&Side; 2],
    leaders: [u32; 2],
    partners: &HashMap<u32, u32>,
) -> Result<Option<Difference>> {
    let of = |at: usize| -> BTreeMap<u32, Vec<u32>> { processes(sides[at].recording, sides[at].family) };
    let streams = [of(0).remove(&leaders[0]), of(1).remove(&leaders[1])].map(Option::unwrap_or_default);
    let open = |at: usize| {
        let events = ProcessEvents::new(sides[at].recording, &streams[at]);
        events.filter(|event| counts(event.as_ref().ok().map(|(_, event)| event)))
    };
    let (mut ones, mut others) = (open(0), open(1));
    loop {
        let (one, other) = (ones.next().transpose()?, others.next().transpose()?);
        // What comes after the end of one is told for its streams.
        let (Some((one, first)), Some((other, second))) = (one, other) else { return Ok(None) };
        if partners.get(&one) != Some(&other) {
            let places =
                [Place { stream: one, event: first.index }, Place { stream: other, event: second.index }];
            return Ok(Some(Difference {
                aspect: Aspect::HandOver,
                places: places.map(Some),
                streams: [Some(one), Some(other)],
            }));
        }
    }
}
