//! All slots of a session, as the writer sees them.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::facts::{Facts, StreamEnd};
use super::stream::Stream;
use crate::companion::futex::SystemFutex;
use crate::companion::memory::{ControlMapping, RingMapping, free_slot};
use crate::companion::process::Process;
use crate::companion::wake::{Bell, CompanionSide};
use crate::session::{Slot, slot_state};
use crate::trace::{Result, chunk};

/// How often the owners of quiet slots are looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A slot that was used.
struct Place {
    ring: RingMapping,
    stream: Option<Stream>,
    owner: Process,
}

/// The slots, and what was learnt from the streams in passing.
pub struct Slots {
    memory: OwnedFd,
    control: Arc<ControlMapping>,
    places: Vec<Option<Place>>,
    last_look: Instant,
    /// What the streams say.
    pub facts: Facts,
}

impl Slots {
    /// Of the session behind `memory`, mapped as `control`.
    pub fn new(memory: OwnedFd, control: Arc<ControlMapping>) -> Slots {
        Slots { memory, control, places: Vec::new(), last_look: Instant::now(), facts: Facts::default() }
    }

    /// Takes what is in all rings, and frees the slots of threads that have ended. Returns whether anything
    /// moved. On error the trace takes no more.
    pub fn drain(&mut self, events: &mut chunk::Writer) -> Result<bool> {
        let control = self.control.clone();
        let mut moved = false;
        for (index, slot) in control.used_slots().iter().enumerate() {
            // Before the ring's head: what a thread published before it ended is then seen.
            let state = slot.state.load(Ordering::Acquire);
            if !is_drained(state) {
                continue;
            }
            moved |= self.drain_slot(index, slot, events)?;
            if state == slot_state::FINISHED {
                self.finish_slot(index, StreamEnd::Orderly, events)?;
                moved = true;
            }
        }
        Ok(moved)
    }

    fn drain_slot(&mut self, index: usize, slot: &Slot, events: &mut chunk::Writer) -> Result<bool> {
        let facts = &mut self.facts;
        let place = match place(&mut self.places, index, || RingMapping::new(self.memory.as_fd(), index)) {
            Ok(place) => place,
            Err(source) => {
                let path = "the session's memory".into();
                return Err(crate::trace::Error::System { action: "map", path, source });
            }
        };
        let stream = place.stream.get_or_insert_with(|| {
            let number = slot.stream.load(Ordering::Acquire);
            facts.count_events(number, 0);
            place.owner = Process::meet(slot.process.load(Ordering::Acquire));
            // SAFETY: the control mapping and the ring live as long as self; the writer is the only consumer.
            unsafe { Stream::new(number, slot, &place.ring) }
        });
        let side = CompanionSide::new(futex());
        let moved = stream.drain(facts, events, &side)? > 0;
        stream.flush_if_old(events)?;
        Ok(moved)
    }

    /// Completes the stream in a slot that nobody uses any more, and frees the slot.
    fn finish_slot(&mut self, index: usize, end: StreamEnd, events: &mut chunk::Writer) -> Result<()> {
        let Some(place) = self.places.get_mut(index).and_then(Option::as_mut) else { return Ok(()) };
        let Some(stream) = place.stream.take() else { return Ok(()) };
        let end = stream.damage().map_or(end, |damage| StreamEnd::Damaged(damage.to_owned()));
        self.facts.end_stream(stream.number(), end.clone());
        stream.finish(end == StreamEnd::Orderly, events)?;
        free_slot(self.memory.as_fd(), &self.control, index);
        Ok(())
    }

    /// The slots whose owners were killed, so that they could not say that they ended. Looks only now and
    /// then.
    pub fn dead(&mut self) -> Vec<usize> {
        if self.last_look.elapsed() < LOOK {
            return Vec::new();
        }
        self.last_look = Instant::now();
        let foreign = self.facts.foreign_ids;
        let is_dead = |place: &Place| place.stream.is_some() && place.owner.is_dead(foreign);
        let places = self.places.iter().enumerate();
        places.filter(|(_, place)| place.as_ref().is_some_and(is_dead)).map(|(index, _)| index).collect()
    }

    /// Completes the stream in slot number `index`, whose owner was killed: what it published is kept.
    pub fn cut_short(&mut self, index: usize, events: &mut chunk::Writer) -> Result<()> {
        let control = self.control.clone();
        let slot = &control.slots[index];
        self.drain_slot(index, slot, events)?;
        // It may have ended in an orderly way between the look at its state and the look at its owner.
        let end = match slot.state.load(Ordering::Acquire) {
            slot_state::FINISHED | slot_state::LEAVING => StreamEnd::Orderly,
            _ => StreamEnd::Killed,
        };
        self.finish_slot(index, end, events)
    }

    /// Slots that have a stream.
    pub fn used(&self) -> Vec<usize> {
        let in_use = |place: &Option<Place>| place.as_ref().is_some_and(|place| place.stream.is_some());
        (0..self.places.len()).filter(|&index| in_use(&self.places[index])).collect()
    }

    /// Wakes every thread that waits for room.
    pub fn wake_all(&self) {
        for slot in &self.control.slots {
            Bell::of_program(slot).ring(&futex());
        }
    }
}

/// Whether a slot in this state has a ring from which events are taken.
fn is_drained(state: u32) -> bool {
    matches!(state, slot_state::LIVE | slot_state::FINISHED | slot_state::ENDING | slot_state::LEAVING)
}

fn futex() -> SystemFutex<'static> {
    SystemFutex::new(Duration::ZERO, None)
}

/// The place of slot number `index`, made if it is used for the first time.
fn place(
    places: &mut Vec<Option<Place>>,
    index: usize,
    map: impl FnOnce() -> io::Result<RingMapping>,
) -> io::Result<&mut Place> {
    if places.len() <= index {
        places.resize_with(index + 1, || None);
    }
    let place = &mut places[index];
    match place {
        Some(place) => Ok(place),
        none => Ok(none.insert(Place { ring: map()?, stream: None, owner: Process::Unknown })),
    }
}
