//! What sync order does not see: accesses to variables that are accessed atomically, which the objects of libc do not order.
//!
//! These are no races, for the program orders them itself, but a replay may make them the other way round. Of additions that
//! nobody looks at the order does not matter.

use super::order::Order;
use super::shadow::Shadow;

/// The order that libc's objects make, and the accesses to such variables.
#[derive(Default)]
pub struct Unseen {
    /// Without what variables order.
    pub order: Order,
    /// Those accesses.
    pub shadow: Shadow,
}

/// Two accesses, by what each does: whether the other one's coming first can be seen by one of them.
pub fn can_be_seen(first: Effect, second: Effect) -> bool {
    first.shows && second.writes || second.shows && first.writes
}

/// What an access does.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    /// The program can see what was there.
    pub shows: bool,
    /// It writes.
    pub writes: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_looks_at_has_no_order() {
        let [load, store, add, exchange] = [(true, false), (false, true), (false, true), (true, true)]
            .map(|(shows, writes)| Effect { shows, writes });
        assert!(can_be_seen(load, store) && can_be_seen(add, load) && can_be_seen(exchange, add));
        assert!(!can_be_seen(load, load) && !can_be_seen(add, add) && !can_be_seen(store, add));
    }
}
