//! Who has which lock: worked out from the calls that a watched replay told of.
//!
//! In serial order a call is all that is known. A lock that is free is taken at once, since nobody else runs in between; one
//! that is not is taken when its thread has come back from a sleep and it is free then. In sync order the replay also
//! tells of returns, and with which result.

mod sleeping;

use super::Space;
use super::observer::{Clock, Hold, How, LockId, Observer, Past, Seen, Sort, Taking, Waiting};
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;
use tracer_core::session::functions::{Deed, FUNCTIONS, Lock, Manner};
use tracer_core::session::watch::{Access, Record, what};

#[derive(Default)]
struct LockState {
    alone: Option<u32>,
    shared: Vec<u32>,
}

#[derive(Default)]
struct Thread {
    space: Space,
    held: Vec<Hold>,
    /// What its last call is about, while that has not come to an end.
    pending: Option<Taking>,
    /// The mutex that it takes after a wait for a condition.
    then: Option<Taking>,
    futex: Option<Taking>,
    /// The wait for a condition that it came back from last, in its last call: it may go on.
    waited: Option<(Taking, Taking)>,
    /// It sleeps.
    asleep: bool,
    /// Accesses to memory so far.
    accesses: u64,
    /// Its last call, if that took a lock that was free. It may have been stopped before it had it.
    entered: Option<Taking>,
    /// The calls of pthread_once that it is in, and where on the stack they return from.
    once: Vec<(u64, LockId)>,
    clock: Clock,
}

struct Model<'a, O> {
    observer: &'a mut O,
    /// Returns are told.
    exact: bool,
    leader: &'a dyn Fn(u32) -> u32,
    /// The time of the last record that has one.
    now: u64,
    images: HashMap<u32, u32>,
    generations: HashMap<(Space, u64), u32>,
    locks: HashMap<LockId, LockState>,
    threads: BTreeMap<u32, Thread>,
    /// The word that is cleared at a thread's end, by its address.
    words: BTreeMap<(Space, u64), u32>,
}

/// Goes through `records`; gives what threads wait for at the end. `leader` gives a stream's process by its first stream.
pub fn run<O: Observer>(
    records: &[Record],
    exact: bool,
    leader: &dyn Fn(u32) -> u32,
    observer: &mut O,
) -> Vec<Waiting> {
    let mut model = Model {
        observer,
        exact,
        leader,
        now: 0,
        images: HashMap::new(),
        generations: HashMap::new(),
        locks: HashMap::new(),
        threads: BTreeMap::new(),
        words: BTreeMap::new(),
    };
    for record in records {
        model.see(record);
    }
    model.waiting()
}

/// The kind of a mutex (PTHREAD_MUTEX_*), from glibc's field.
mod kind {
    /// The bits that say it.
    pub const MASK: u32 = 3;
    /// Can be taken again by who has it.
    pub const RECURSIVE: u32 = 1;
    /// Says so to who has it.
    pub const ERROR_CHECK: u32 = 2;
}

impl<O: Observer> Model<'_, O> {
    fn see(&mut self, record: &Record) {
        let stream = record.stream;
        if record.what != what::ACCESSES {
            self.now = record.time;
        }
        if record.what == what::EXECUTES {
            return self.execute(stream);
        }
        let space = self.space(stream);
        self.threads.entry(stream).or_default().space = space;
        match record.what {
            what::CALLS => {
                self.settle(stream, record.time);
                if !self.exact {
                    self.leave_once(stream, record.stack);
                }
                self.call(space, record);
            }
            what::RETURNS => self.returned(stream, record),
            what::SLEEPS => self.sleeps(space, record),
            what::WAKES => self.wakes(stream, record),
            what::CREATES => self.create(space, record),
            what::ACCESSES => self.access(space, record),
            what::FORGETS => {
                self.observer.forgot(space, record.object..record.object.saturating_add(record.mutex));
            }
            // Of a later version, or damaged.
            _ => {}
        }
    }

    fn space(&self, stream: u32) -> Space {
        let leader = (self.leader)(stream);
        (leader, self.images.get(&leader).copied().unwrap_or(0))
    }

    fn execute(&mut self, stream: u32) {
        let leader = (self.leader)(stream);
        *self.images.entry(leader).or_default() += 1;
        let own: Vec<u32> =
            self.threads.keys().copied().filter(|&other| (self.leader)(other) == leader).collect();
        for other in own {
            self.threads.remove(&other);
        }
    }

    fn create(&mut self, space: Space, record: &Record) {
        let (stream, created) = (record.stream, record.kind);
        self.words.insert((space, record.object), created);
        let clock = self.advance(stream);
        self.threads.insert(created, Thread { space, clock, ..Thread::default() });
        self.advance(created);
        self.observer.created(stream, created);
        // Its stack, at whose upper end the word is, may have been another one's, whose end nobody waited for.
        let (low, high) =
            (record.object.saturating_sub(USUAL_STACK), record.object.saturating_add(LARGEST_THREAD));
        self.observer.forgot(space, low..high);
    }

    fn access(&mut self, space: Space, record: &Record) {
        let (stream, event) = (record.stream, record.event);
        let thread = self.threads.entry(stream).or_default();
        let seen =
            Seen { stream, space, event, ordinal: thread.accesses, access: Access::from_record(record) };
        thread.accesses += 1;
        if self.exact {
            // Accesses of libc's functions are at another stack's end.
            let held = &thread.held;
            return self.observer.accessed(&seen, held);
        }
        // A call that has returned has taken its return address from the stack. What is below is a part of it, or of
        // a handler that has interrupted it.
        if let Some(taking) = thread.pending.as_ref().or(thread.then.as_ref())
            && seen.access.stack > taking.stack
        {
            self.settle(stream, self.now);
        }
        let thread = self.threads.entry(stream).or_default();
        if let Some(taking) = thread.entered.take_if(|taking| seen.access.stack > taking.stack) {
            self.observer.returned(&taking);
        }
        self.leave_once(stream, seen.access.stack);
        let held = self.threads.get(&stream).map_or(&[][..], |thread| &thread.held);
        self.observer.accessed(&seen, held);
    }

    /// What the thread does from here on comes after what it did before, for those that learn of it now.
    fn advance(&mut self, stream: u32) -> Clock {
        let thread = self.threads.entry(stream).or_default();
        *Rc::make_mut(&mut thread.clock).entry(stream).or_insert(0) += 1;
        thread.clock.clone()
    }

    fn joined(&mut self, stream: u32, ended: u32) {
        let theirs = self.advance(ended);
        let thread = self.threads.entry(stream).or_default();
        let own = Rc::make_mut(&mut thread.clock);
        for (other, moment) in theirs.iter() {
            let known = own.entry(*other).or_insert(0);
            *known = (*known).max(*moment);
        }
    }

    /// The word that is cleared when the thread ends whose pthread_t this is: that is the address of what libc knows of
    /// it, where the word is.
    fn thread_at(&self, space: Space, handle: u64) -> Option<u64> {
        let range = (space, handle)..(space, handle.saturating_add(LARGEST_THREAD));
        self.words.range(range).next().map(|((_, word), _)| *word)
    }

    fn id(&self, space: Space, address: u64) -> LockId {
        let generation = self.generations.get(&(space, address)).copied().unwrap_or(0);
        LockId { space, address, generation }
    }

    fn call(&mut self, space: Space, record: &Record) {
        let Some(function) = FUNCTIONS.get(usize::from(record.function)) else { return };
        let stream = record.stream;
        let object = self.id(space, record.object);
        let operation = self.exact.then_some(record.event);
        let taking = |sort, how, manner| Taking {
            stream,
            object,
            sort,
            how,
            manner,
            caller: record.caller,
            stack: record.stack,
            began: record.time,
            operation,
            slept: false,
        };
        let pending = match function.deed {
            Deed::Take(lock, manner) => {
                let (sort, how) = sort_of(lock);
                let taking = taking(sort, how, manner);
                if !self.exact && self.take_again(&taking, record) {
                    return;
                }
                if !self.exact && self.is_free(&taking) && can_be_had(lock, record.kind) {
                    self.take(&taking, record.time);
                    self.threads.entry(stream).or_default().entered = Some(taking);
                    return;
                }
                if !self.exact && manner == Manner::Try {
                    return self.observer.refused(&taking, record.time);
                }
                taking
            }
            Deed::Release(_) => return self.release(stream, object, record.time),
            Deed::WaitForCondition => {
                let mutex = self.id(space, record.mutex);
                self.release(stream, mutex, record.time);
                let again = taking(Sort::Mutex, How::Alone, Manner::Wait);
                let thread = self.threads.entry(stream).or_default();
                thread.then = Some(Taking { object: mutex, operation: None, ..again });
                taking(Sort::Condition, How::Alone, Manner::Wait)
            }
            Deed::TakeSemaphore(manner) => taking(Sort::Semaphore, How::Alone, manner),
            Deed::MeetAtBarrier => {
                self.observer.arrived(stream, object);
                taking(Sort::Barrier, How::Alone, Manner::Wait)
            }
            Deed::Join => {
                let thread = self.thread_at(space, record.object).unwrap_or(record.object);
                let taking = taking(Sort::Thread, How::Alone, Manner::Wait);
                Taking { object: LockId { address: thread, ..object }, ..taking }
            }
            Deed::Renew => {
                *self.generations.entry((space, record.object)).or_default() += 1;
                self.locks.remove(&object);
                self.threads.values_mut().for_each(|thread| thread.held.retain(|hold| hold.lock != object));
                return;
            }
            Deed::Once => {
                self.threads.entry(stream).or_default().once.push((record.stack, object));
                return self.observer.calls_once(stream, object);
            }
            Deed::WakeCondition | Deed::GiveSemaphore => return self.observer.gave(stream, object),
            // Told as memory that is gone.
            Deed::Free => return,
        };
        self.threads.entry(stream).or_default().pending = Some(pending);
    }

    /// The thread is there on its stack: calls that would have returned from below have returned.
    fn leave_once(&mut self, stream: u32, stack: u64) {
        let thread = self.threads.entry(stream).or_default();
        while let Some((_, object)) = thread.once.pop_if(|(place, _)| stack > *place) {
            self.observer.returns_from_once(stream, object);
        }
    }

    /// A mutex that the thread has already. True if that is all.
    fn take_again(&mut self, taking: &Taking, record: &Record) -> bool {
        let Some(thread) = self.threads.get_mut(&taking.stream) else { return false };
        let Some(hold) = thread.held.iter_mut().find(|hold| hold.lock == taking.object) else { return false };
        match record.kind & kind::MASK {
            kind::RECURSIVE if taking.sort == Sort::Mutex => hold.count += 1,
            kind::ERROR_CHECK if taking.sort == Sort::Mutex => self.observer.refused(taking, record.time),
            // It waits for itself.
            _ => return false,
        }
        true
    }

    fn is_free(&self, taking: &Taking) -> bool {
        let Some(state) = self.locks.get(&taking.object) else { return true };
        state.alone.is_none() && (taking.how == How::Shared || state.shared.is_empty())
    }

    fn take(&mut self, taking: &Taking, now: u64) {
        let state = self.locks.entry(taking.object).or_default();
        match taking.how {
            How::Alone => state.alone = Some(taking.stream),
            How::Shared => state.shared.push(taking.stream),
        }
        let thread = self.threads.entry(taking.stream).or_default();
        let past = Past { stream: taking.stream, clock: thread.clock.clone() };
        self.observer.taken(taking, now, &thread.held, &past);
        let Taking { object: lock, how, caller, .. } = *taking;
        match thread.held.iter_mut().find(|hold| hold.lock == lock) {
            Some(hold) => hold.count += 1,
            None => thread.held.push(Hold { lock, how, count: 1, since: now, caller }),
        }
    }

    fn release(&mut self, stream: u32, lock: LockId, now: u64) {
        let thread = self.threads.entry(stream).or_default();
        let Some(place) = thread.held.iter().rposition(|hold| hold.lock == lock) else {
            return self.observer.released_untold(stream, lock);
        };
        let hold = &mut thread.held[place];
        hold.count -= 1;
        if hold.count > 0 {
            return;
        }
        let hold = thread.held.remove(place);
        self.observer.released(stream, &hold, now);
        if let Some(state) = self.locks.get_mut(&lock) {
            state.alone = state.alone.filter(|holder| *holder != stream);
            state.shared.retain(|holder| *holder != stream);
        }
    }

    /// The thread goes on: its last call has ended, one way or the other.
    fn settle(&mut self, stream: u32, now: u64) {
        let thread = self.threads.entry(stream).or_default();
        (thread.futex, thread.waited, thread.asleep) = (None, None, false);
        let (pending, then) = (thread.pending.take(), thread.then.take());
        match pending {
            // A spin lock that was waited for without a sleep, and what nobody waited for.
            Some(taking) if taking.sort.is_lock() => {
                // Who waits for as long as it takes has got it, even if somebody seems to have it who was stopped on his
                // way to it.
                if taking.manner == Manner::Wait || self.is_free(&taking) {
                    self.take(&taking, now);
                } else {
                    self.observer.refused(&taking, now);
                }
            }
            Some(taking) => self.came(&taking, if taking.slept { now } else { taking.began }),
            None => {}
        }
        if let Some(mutex) = then {
            self.take(&mutex, now);
        }
    }

    /// Something that is no lock has come.
    fn came(&mut self, taking: &Taking, now: u64) {
        if taking.sort == Sort::Thread
            && let Some(&ended) = self.words.get(&(taking.object.space, taking.object.address))
        {
            self.joined(taking.stream, ended);
            self.observer.joined(taking.stream, ended);
        }
        let thread = self.threads.entry(taking.stream).or_default();
        let past = Past { stream: taking.stream, clock: thread.clock.clone() };
        self.observer.taken(taking, now, &thread.held, &past);
    }

    fn returned(&mut self, stream: u32, record: &Record) {
        let thread = self.threads.entry(stream).or_default();
        let deed = FUNCTIONS.get(usize::from(record.function)).map(|function| function.deed);
        if deed == Some(Deed::Once) {
            if let Some((_, object)) = thread.once.pop() {
                self.observer.returns_from_once(stream, object);
            }
            return;
        }
        let (pending, then) = (thread.pending.take(), thread.then.take());
        let Some(taking) = pending else { return };
        let is_taken = matches!(record.result, 0 | libc::EOWNERDEAD);
        if !taking.sort.is_lock() {
            match is_taken || taking.sort == Sort::Condition {
                true => self.came(&taking, record.time),
                false => self.observer.refused(&taking, record.time),
            }
        } else if is_taken {
            self.take(&taking, record.time);
        } else {
            self.observer.refused(&taking, record.time);
        }
        if let Some(mutex) = then {
            self.take(&Taking { began: record.time, ..mutex }, record.time);
        }
    }

    fn waiting(self) -> Vec<Waiting> {
        let mut all = Vec::new();
        for thread in self.threads.values().filter(|thread| self.exact || thread.asleep) {
            let taking = thread.pending.as_ref().or(thread.then.as_ref()).or(thread.futex.as_ref());
            let Some(taking) = taking else { continue };
            let holders = match taking.sort {
                Sort::Thread => {
                    let word = (taking.object.space, taking.object.address);
                    self.words.get(&word).copied().into_iter().collect()
                }
                _ => self.locks.get(&taking.object).map_or_else(Vec::new, |state| {
                    state.alone.into_iter().chain(state.shared.iter().copied()).collect()
                }),
            };
            all.push(Waiting { taking: taking.clone(), holders });
        }
        all
    }
}

/// Bytes of the largest object of libc, and what it knows of a thread, at most.
const LARGEST: u64 = 64;
const LARGEST_THREAD: u64 = 4096;
/// Bytes of a thread's stack, as libc makes them.
const USUAL_STACK: u64 = 8 << 20;

/// Whether the word in which a read-write lock says who has it (nptl/pthread_rwlock_common.c) lets somebody take it: one that
/// was given up may have been handed to a thread that has not run since.
fn can_be_had(lock: Lock, word: u32) -> bool {
    const WRITE_PHASE: u32 = 1;
    const WRITER: u32 = 2;
    const FIRST_READER: u32 = 8;
    match lock {
        Lock::Mutex | Lock::Spin => true,
        Lock::Shared => word & WRITE_PHASE == 0 || word & WRITER == 0,
        Lock::Exclusive => word & WRITER == 0 && (word < FIRST_READER || word & WRITE_PHASE != 0),
    }
}

fn sort_of(lock: Lock) -> (Sort, How) {
    match lock {
        Lock::Mutex => (Sort::Mutex, How::Alone),
        Lock::Shared => (Sort::ReadWriteLock, How::Shared),
        Lock::Exclusive => (Sort::ReadWriteLock, How::Alone),
        Lock::Spin => (Sort::SpinLock, How::Alone),
    }
}
