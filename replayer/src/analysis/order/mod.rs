//! In which order the events of several threads and processes are looked at.
//!
//! Within a process the trace knows it. Between processes that share no memory it knows no more than what one has seen of
//! another: a process comes after the call that created it, and a parent that has waited for a child comes after the child.
//! Who follows what is open can say more with [`CausalEvents::put_off`]: what is read from a pipe was written before.

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
    /// Of those that can go on the last one does.
    begun: Vec<Begun<'a>>,
    /// How many events were given and not put off.
    given: u64,
    /// The last one was given although what it is held by has not happened: nobody else can go on.
    forced: bool,
}

struct Begun<'a> {
    /// Its first stream.
    leader: u32,
    events: ProcessEvents<'a>,
    held: Option<Held>,
}

/// An event that comes after something of another process.
struct Held {
    stream: u32,
    event: Event,
    until: Until,
}

enum Until {
    /// The process with this first stream has ended.
    Ended(u32),
    /// More than so many events were given.
    Given(u64),
}

impl<'a> CausalEvents<'a> {
    /// The events of `recording`, whose streams are those of `family`.
    pub fn new(recording: &'a Recording, family: &Family) -> CausalEvents<'a> {
        let mut by_id = HashMap::<u32, Vec<u32>>::new();
        for (stream, member) in family.members.iter().filter(|(_, member)| !member.is_thread) {
            by_id.entry(member.process).or_default().push(*stream);
        }
        let rest = processes(recording, family);
        CausalEvents { recording, rest, by_id, begun: Vec::new(), given: 0, forced: false }
    }

    /// Takes back the event that was given last: it comes after something that other processes have still to do, and first
    /// of all one that has not begun and that `may_do_it` is true of. Gives the event again if nobody else can go on.
    pub fn put_off(
        &mut self,
        stream: u32,
        event: Event,
        leader: u32,
        may_do_it: impl Fn(u32) -> bool,
    ) -> Option<Event> {
        let Some(own) = self.begun.iter_mut().find(|begun| begun.leader == leader && !self.forced) else {
            return Some(event);
        };
        self.given -= 1;
        own.held = Some(Held { stream, event, until: Until::Given(self.given) });
        let doer = self.rest.keys().copied().find(|leader| may_do_it(*leader));
        if let Some(doer) = doer {
            self.begin(doer);
        }
        None
    }

    /// Begins the process with this first stream, if it has not begun.
    fn begin(&mut self, leader: u32) {
        if let Some(streams) = self.rest.remove(&leader) {
            let events = ProcessEvents::new(self.recording, &streams);
            self.begun.push(Begun { leader, events, held: None });
        }
    }

    /// The first stream of the process that this event has waited for, if that has not ended.
    fn waited_for(&self, event: &Event) -> Option<u32> {
        let leaders = self.by_id.get(&waited_id(event)?)?;
        leaders.iter().copied().find(|leader| self.is_to_end(*leader))
    }

    fn is_to_end(&self, leader: u32) -> bool {
        self.rest.contains_key(&leader) || self.begun.iter().any(|begun| begun.leader == leader)
    }

    fn can_go_on(&self, begun: &Begun) -> bool {
        match &begun.held {
            Some(Held { until: Until::Ended(leader), .. }) => !self.is_to_end(*leader),
            Some(Held { until: Until::Given(given), .. }) => self.given > *given,
            None => true,
        }
    }

    fn give(&mut self, stream: u32, event: Event, forced: bool) -> Option<Result<(u32, Event)>> {
        self.given += 1;
        self.forced = forced;
        Some(Ok((stream, event)))
    }
}

impl Iterator for CausalEvents<'_> {
    type Item = Result<(u32, Event)>;

    fn next(&mut self) -> Option<Result<(u32, Event)>> {
        loop {
            let Some(last) = self.begun.len().checked_sub(1) else {
                let leader = *self.rest.first_key_value()?.0;
                self.begin(leader);
                continue;
            };
            let able = self.begun.iter().rposition(|begun| self.can_go_on(begun));
            let at = able.unwrap_or(last);
            if let Some(Held { stream, event, .. }) = self.begun[at].held.take() {
                return self.give(stream, event, able.is_none());
            }
            match self.begun[at].events.next() {
                None => {
                    self.begun.remove(at);
                }
                Some(Err(error)) => {
                    self.begun.clear();
                    self.rest.clear();
                    return Some(Err(error));
                }
                Some(Ok((stream, event))) => {
                    let Some(leader) = self.waited_for(&event) else {
                        return self.give(stream, event, false);
                    };
                    self.begun[at].held = Some(Held { stream, event, until: Until::Ended(leader) });
                    self.begin(leader);
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
