//! What is told of the threads of a watched replay: who has which lock, and who accesses which memory.

use super::Space;
use std::collections::BTreeMap;
use std::rc::Rc;
use tracer_core::session::functions::Manner;
use tracer_core::session::watch::Access;

/// An object: its address space, its address, and how many others there were before it at that address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockId {
    /// Where it is.
    pub space: Space,
    /// Its address.
    pub address: u64,
    /// Initialisations and destructions before it.
    pub generation: u32,
}

/// How threads have a lock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum How {
    /// Alone.
    Alone,
    /// With others that read.
    Shared,
}

/// A lock that a thread has.
#[derive(Clone, Debug)]
pub struct Hold {
    /// Which.
    pub lock: LockId,
    /// In which way.
    pub how: How,
    /// How often, if it can be taken again.
    pub count: u32,
    /// When it was taken, in nanoseconds.
    pub since: u64,
    /// Where.
    pub caller: u64,
}

/// What is known to come before: of each stream, how many of the moments at which it created or joined a thread.
pub type Clock = Rc<BTreeMap<u32, u64>>;

/// The moment of an operation.
#[derive(Clone, Debug)]
pub struct Past {
    /// Of which thread.
    pub stream: u32,
    /// What comes before it.
    pub clock: Clock,
}

/// Whether one comes before the other, because one thread created or joined the other.
pub fn is_ordered(one: &Past, other: &Past) -> bool {
    let before = |one: &Past, other: &Past| {
        let own = one.clock.get(&one.stream).copied().unwrap_or(0);
        other.clock.get(&one.stream).is_some_and(|known| own < *known)
    };
    before(one, other) || before(other, one)
}

/// What a thread waits for, or tries to take.
#[derive(Clone, Debug)]
pub struct Taking {
    /// The thread.
    pub stream: u32,
    /// What it wants.
    pub object: LockId,
    /// Which sort of thing that is.
    pub sort: Sort,
    /// In which way.
    pub how: How,
    /// What it does if it cannot have it.
    pub manner: Manner,
    /// Where.
    pub caller: u64,
    /// Where on the stack the call returns from.
    pub stack: u64,
    /// Since when, in nanoseconds.
    pub began: u64,
    /// In sync order, operations of the thread before, if it is one by itself.
    pub operation: Option<u64>,
    /// It slept.
    pub slept: bool,
}

/// Sorts of objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// pthread_mutex_t.
    Mutex,
    /// pthread_rwlock_t.
    ReadWriteLock,
    /// pthread_spinlock_t.
    SpinLock,
    /// pthread_cond_t.
    Condition,
    /// sem_t.
    Semaphore,
    /// pthread_barrier_t.
    Barrier,
    /// A thread.
    Thread,
    /// A futex that is none of these.
    Futex,
}

/// What a thread waits for at the end.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// What.
    pub taking: Taking,
    /// Who has it, or is it.
    pub holders: Vec<u32>,
}

/// Is told what happens.
pub trait Observer {
    /// The object was taken, or what was waited for has come, at `now`; the thread has `held` besides.
    fn taken(&mut self, taking: &Taking, now: u64, held: &[Hold], past: &Past);
    /// The call that took a lock at once has returned. Others may have had the lock since it began: a thread can be stopped
    /// anywhere.
    fn returned(&mut self, _taking: &Taking) {}
    /// It could not be had, or not in time.
    fn refused(&mut self, taking: &Taking, now: u64);
    /// A lock was given up.
    fn released(&mut self, stream: u32, hold: &Hold, now: u64);
    /// A lock was given up that nothing was told of, when it was taken.
    fn released_untold(&mut self, _stream: u32, _object: LockId) {}
    /// Threads that wait for this condition or semaphore may go on, or one of them.
    fn gave(&mut self, _stream: u32, _object: LockId) {}
    /// A thread has come to a barrier.
    fn arrived(&mut self, _stream: u32, _object: LockId) {}
    /// A thread calls pthread_once with this.
    fn calls_once(&mut self, _stream: u32, _object: LockId) {}
    /// That call has returned, some time ago.
    fn returns_from_once(&mut self, _stream: u32, _object: LockId) {}
    /// A thread has created another one.
    fn created(&mut self, _stream: u32, _created: u32) {}
    /// A thread knows that another one has ended.
    fn joined(&mut self, _stream: u32, _ended: u32) {}
    /// Memory was accessed, by a thread that has `held`.
    fn accessed(&mut self, _access: &Seen, _held: &[Hold]) {}
    /// What lay there is gone.
    fn forgot(&mut self, _space: Space, _memory: std::ops::Range<u64>) {}
}

/// An access to memory.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// By which thread.
    pub stream: u32,
    /// In which address space.
    pub space: Space,
    /// Events that the thread had taken.
    pub event: u64,
    /// How many accesses of the thread were told before.
    pub ordinal: u64,
    /// What it was.
    pub access: Access,
}

impl Sort {
    /// Whether somebody has it.
    pub fn is_lock(self) -> bool {
        matches!(self, Sort::Mutex | Sort::ReadWriteLock | Sort::SpinLock)
    }

    /// As people call it.
    pub fn name(self) -> &'static str {
        match self {
            Sort::Mutex => "mutex",
            Sort::ReadWriteLock => "read-write lock",
            Sort::SpinLock => "spin lock",
            Sort::Condition => "condition",
            Sort::Semaphore => "semaphore",
            Sort::Barrier => "barrier",
            Sort::Thread => "thread",
            Sort::Futex => "futex",
        }
    }
}
