//! In which order the events of several threads and processes are looked at.
//!
//! Within a process the trace knows it. Between processes that share no memory it knows no more than what one has seen of
//! another: a process comes after the call that created it, and a parent that has waited for a child comes after the child.

mod process;

pub use process::{ProcessEvents, created_streams, processes};

use super::call::Call;
use super::family::Family;
use super::recording::Recording;
use std::collections::{BTreeMap, HashMap};
use tracer_core::trace::Result;
use tracer_core::trace::reader::Event;

/// All events of a trace, each with its stream, in one of the orders in which they can have happened. After an error there
/// are no more.
pub struct CausalEvents<'a> {
    recording: &'a Recording,
    /// Processes that have not begun: their streams, by the first.
    rest: BTreeMap<u32, Vec<u32>>,
    /// First streams by process id, rising.
    by_id: HashMap<u32, Vec<u32>>,
    /// The process that runs is the last one; the others wait for those after them.
    begun: Vec<Begun<'a>>,
}

struct Begun<'a> {
    events: ProcessEvents<'a>,
    /// The wait that ends once the processes after this one have ended.
    held: Option<(u32, Event)>,
}

impl<'a> CausalEvents<'a> {
    /// The events of `recording`, whose streams are those of `family`.
    pub fn new(recording: &'a Recording, family: &Family) -> CausalEvents<'a> {
        let mut by_id = HashMap::<u32, Vec<u32>>::new();
        for (stream, member) in family.members.iter().filter(|(_, member)| !member.is_thread) {
            by_id.entry(member.process).or_default().push(*stream);
        }
        CausalEvents { recording, rest: processes(recording, family), by_id, begun: Vec::new() }
    }

    fn begin(&mut self, streams: &[u32]) {
        self.begun.push(Begun { events: ProcessEvents::new(self.recording, streams), held: None });
    }

    /// The streams of the process that this event has waited for, if it has not begun.
    fn waited_for(&mut self, event: &Event) -> Option<Vec<u32>> {
        let leaders = self.by_id.get(&waited_id(event)?)?;
        leaders.iter().find_map(|leader| self.rest.remove(leader))
    }
}

impl Iterator for CausalEvents<'_> {
    type Item = Result<(u32, Event)>;

    fn next(&mut self) -> Option<Result<(u32, Event)>> {
        loop {
            let Some(last) = self.begun.last_mut() else {
                let (_, streams) = self.rest.pop_first()?;
                self.begin(&streams);
                continue;
            };
            if let Some(held) = last.held.take() {
                return Some(Ok(held));
            }
            match last.events.next() {
                None => {
                    self.begun.pop();
                }
                Some(Err(error)) => {
                    (self.begun, self.rest) = Default::default();
                    return Some(Err(error));
                }
                Some(Ok((stream, event))) => {
                    let Some(streams) = self.waited_for(&event) else { return Some(Ok((stream, event))) };
                    if let Some(last) = self.begun.last_mut() {
                        last.held = Some((stream, event));
                    }
                    self.begin(&streams);
                }
            }
        }
    }
}

/// The process whose end a call has been told.
pub fn waited_id(event: &Event) -> Option<u32> {
    let call = Call::of(event)?;
    match call.number {
        libc::SYS_wait4 if call.result > 0 => u32::try_from(call.result).ok(),
        // `si_pid` of the `siginfo_t`.
        libc::SYS_waitid if call.result == 0 => {
            let id = call.output(2)?.get(16..20)?;
            Some(u32::from_le_bytes(id.try_into().ok()?)).filter(|id| *id > 0)
        }
        _ => None,
    }
}
