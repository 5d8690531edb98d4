//! Which moment of a thread comes before which of another, by what the program did to order them: vector clocks.

use super::super::watched::{How, Sort, Space};
use std::collections::{BTreeMap, HashMap};

/// An object, or a variable: what was there before at the same address orders as well.
pub type Place = (Space, u64);

/// Of each stream, up to which of its moments all comes before.
#[derive(Clone, Debug, Default)]
struct Clock(BTreeMap<u32, u64>);

impl Clock {
    fn join(&mut self, other: &Clock) {
        for (stream, moment) in &other.0 {
            let known = self.0.entry(*stream).or_insert(0);
            *known = (*known).max(*moment);
        }
    }

    fn of(&self, stream: u32) -> u64 {
        self.0.get(&stream).copied().unwrap_or(0)
    }
}

/// What hands moments on from one thread to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Carrier {
    /// A lock that was held alone, and any other object of libc's.
    Object(Place),
    /// A lock that was held with others: who reads afterwards is not ordered by that.
    Shared(Place),
    /// A variable that is accessed atomically.
    Variable(Place),
}

/// The order so far.
#[derive(Default)]
pub struct Order {
    threads: HashMap<u32, Clock>,
    carriers: HashMap<Carrier, Clock>,
    /// Who was the first to call pthread_once with it, and whether that call has returned.
    once: HashMap<Place, (u32, bool)>,
    barriers: HashMap<Place, Barrier>,
}

/// A barrier: those that came to it before it opened know of each other behind it, and nothing of what is done behind it.
#[derive(Default)]
struct Barrier {
    /// Of each thread, how many times it opened before it came there last.
    arrived: HashMap<u32, usize>,
    /// What those that came to it knew, each time.
    rounds: Vec<Clock>,
}

impl Order {
    /// The moment of a thread: it goes on to another one whenever others can learn of what it did.
    pub fn moment(&self, stream: u32) -> u64 {
        self.threads.get(&stream).map_or(0, |clock| clock.of(stream)) + 1
    }

    /// Whether that moment of `stream` comes before what `observer` does now.
    pub fn is_before(&self, stream: u32, moment: u64, observer: u32) -> bool {
        stream == observer || self.threads.get(&observer).is_some_and(|clock| clock.of(stream) >= moment)
    }

    fn release(&mut self, stream: u32, carrier: Carrier) {
        let own = advance(&mut self.threads, stream);
        self.carriers.entry(carrier).or_default().join(own);
    }

    fn acquire(&mut self, stream: u32, carrier: Carrier) {
        if let Some(clock) = self.carriers.get(&carrier) {
            self.threads.entry(stream).or_default().join(clock);
        }
    }

    /// A thread has got an object, or seen what it waited for.
    pub fn got(&mut self, stream: u32, object: Place, how: How, sort: Sort) {
        self.acquire(stream, Carrier::Object(object));
        if how == How::Alone {
            self.acquire(stream, Carrier::Shared(object));
        }
        if sort == Sort::Barrier
            && let Some(barrier) = self.barriers.get(&object)
            && let Some(round) = barrier.arrived.get(&stream)
        {
            self.threads.entry(stream).or_default().join(&barrier.rounds[*round]);
        }
    }

    /// A thread has come to a barrier.
    pub fn arrived(&mut self, stream: u32, object: Place) {
        let own = advance(&mut self.threads, stream);
        let barrier = self.barriers.entry(object).or_default();
        // Who comes again has seen it open.
        let is_next = barrier.arrived.get(&stream).is_some_and(|round| round + 1 == barrier.rounds.len());
        if barrier.rounds.is_empty() || is_next {
            barrier.rounds.push(Clock::default());
        }
        let round = barrier.rounds.len() - 1;
        barrier.rounds[round].join(own);
        barrier.arrived.insert(stream, round);
    }

    /// A thread has given an object up, or let others go on.
    pub fn gave(&mut self, stream: u32, object: Place, how: How) {
        let carrier = if how == How::Alone { Carrier::Object(object) } else { Carrier::Shared(object) };
        self.release(stream, carrier);
    }

    /// A thread calls pthread_once.
    pub fn calls_once(&mut self, stream: u32, object: Place) {
        self.once.entry(object).or_insert((stream, false));
    }

    /// That call has returned: the first caller has made the initialisation, which comes before what the others do.
    pub fn returns_from_once(&mut self, stream: u32, object: Place) {
        let Some((first, is_done)) = self.once.get_mut(&object) else { return };
        if *first == stream && !core::mem::replace(is_done, true) {
            self.release(stream, Carrier::Object(object));
        } else if *is_done {
            self.acquire(stream, Carrier::Object(object));
        } else {
            // It has let others go on, and has not done so itself.
            let first = *first;
            self.learn(stream, first);
        }
    }

    /// What `other` has done so far comes before what `stream` does from now on.
    pub fn learn(&mut self, stream: u32, other: u32) {
        let theirs = advance(&mut self.threads, other).clone();
        self.threads.entry(stream).or_default().join(&theirs);
    }

    /// An atomic access to a variable, or a plain one to a variable that is also accessed atomically.
    pub fn variable(&mut self, stream: u32, variable: Place, reads: bool, writes: bool) {
        let carrier = Carrier::Variable(variable);
        if reads {
            self.acquire(stream, carrier);
        }
        if writes {
            self.release(stream, carrier);
        }
    }
}

/// What the thread has done so far is about to be known by others: what it does from now on is another moment. Gives what
/// comes before that.
fn advance(threads: &mut HashMap<u32, Clock>, stream: u32) -> &Clock {
    let clock = threads.entry(stream).or_default();
    *clock.0.entry(stream).or_insert(0) += 1;
    clock
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(address: u64) -> Place {
        ((0, 0), address)
    }

    #[test]
    fn a_lock_orders_what_was_done_under_it_and_before() {
        let mut order = Order::default();
        let first = order.moment(1);
        order.gave(1, object(8), How::Alone);
        let later = order.moment(1);
        assert!(!order.is_before(1, first, 2));
        order.got(2, object(16), How::Alone, Sort::Mutex);
        assert!(!order.is_before(1, first, 2), "another lock");
        order.got(2, object(8), How::Alone, Sort::Mutex);
        assert!(order.is_before(1, first, 2));
        assert!(!order.is_before(1, later, 2), "what the other one does after it has given the lock up");
    }

    #[test]
    fn readers_of_a_lock_are_ordered_with_writers_only() {
        let mut order = Order::default();
        let read = order.moment(1);
        order.gave(1, object(8), How::Shared);
        order.got(2, object(8), How::Shared, Sort::ReadWriteLock);
        assert!(!order.is_before(1, read, 2));
        order.got(3, object(8), How::Alone, Sort::ReadWriteLock);
        assert!(order.is_before(1, read, 3));
    }

    #[test]
    fn a_thread_knows_what_was_done_before_it_was_created_and_its_end_tells_what_it_did() {
        let mut order = Order::default();
        let (before, of_child) = (order.moment(0), order.moment(1));
        order.learn(1, 0);
        assert!(order.is_before(0, before, 1));
        assert!(!order.is_before(0, order.moment(0), 1));
        order.learn(0, 1);
        assert!(order.is_before(1, of_child, 0));
    }

    #[test]
    fn who_calls_once_later_sees_the_initialisation_and_not_what_came_behind_it() {
        let mut order = Order::default();
        order.calls_once(1, object(8));
        let initialises = order.moment(1);
        order.returns_from_once(1, object(8));
        let later = order.moment(1);
        order.calls_once(2, object(8));
        order.returns_from_once(2, object(8));
        assert!(order.is_before(1, initialises, 2));
        assert!(!order.is_before(1, later, 2));
    }

    #[test]
    fn who_was_woken_by_the_initialiser_may_return_first() {
        let mut order = Order::default();
        order.calls_once(1, object(8));
        order.calls_once(2, object(8));
        let initialises = order.moment(1);
        order.returns_from_once(2, object(8));
        assert!(order.is_before(1, initialises, 2));
    }

    #[test]
    fn a_barrier_orders_what_was_done_before_it_and_not_what_is_done_behind_it() {
        let mut order = Order::default();
        let before = order.moment(1);
        order.arrived(1, object(8));
        order.arrived(2, object(8));
        order.got(1, object(8), How::Alone, Sort::Barrier);
        let behind = order.moment(1);
        order.arrived(1, object(8));
        order.got(2, object(8), How::Alone, Sort::Barrier);
        assert!(order.is_before(1, before, 2));
        assert!(!order.is_before(1, behind, 2));
    }
}
