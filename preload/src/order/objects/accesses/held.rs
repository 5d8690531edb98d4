//! What a thread has of granules.

use super::super::word::Place;
use super::granule::{self, Granule};
use super::window::Look;
use crate::order::sections;
use crate::thread::{self, Thread};

/// Granules that a thread can hold at once: those of two structures of 4 KiB. Of larger ones the rest is not ordered.
const CAPACITY: usize = 132;
/// Versions that a thread remembers.
const KNOWN: usize = 1024;

/// Bits of what the program says of an access.
pub mod kind {
    /// It writes.
    pub const WRITES: u64 = 1;
    /// The variable is volatile, which the compiler reads or writes where the program says.
    pub const VOLATILE: u64 = 2;
    /// It may take a call of a function to make it.
    pub const LONG: u64 = 4;
}

/// The state of one thread.
pub struct Accesses {
    /// How many objects it holds.
    count: usize,
    /// How many it was allowed to access since its last hook of another kind. It may have given them up since, at a moment that
    /// is another one in replay.
    allowed: usize,
    objects: [u64; CAPACITY],
    /// What was said of the last access to them.
    kind: u64,
    /// Where the program goes on to make it.
    pub behind: u64,
    /// Where it was found when another thread waited for them.
    pub look: Look,
    /// Replay: the atomic operation that the thread is in was logged.
    pub is_logged: bool,
    /// What it is about to hold.
    next: Set,
    /// There is something in `known`.
    knows_any: bool,
    /// Recording: versions of granules that replay will have waited for, by the end of the granule's place.
    known: [(u64, u64); KNOWN],
}

impl Accesses {
    /// Where `allowed` is, for assembly.
    pub const ALLOWED: usize = core::mem::offset_of!(Accesses, allowed);

    /// The thread begins, in memory that may have been another thread's.
    pub fn clear(&mut self) {
        self.count = 0;
        self.allowed = 0;
        self.look = Look::NONE;
        if core::mem::take(&mut self.knows_any) {
            self.known = [(0, 0); KNOWN];
        }
    }

    /// The thread comes to a hook: what it was allowed to access has been accessed.
    #[inline(always)]
    pub fn finish(&mut self) {
        if self.allowed != 0 {
            self.allowed = 0;
            self.give_up();
        }
    }

    /// What it was allowed to access has been accessed, wherever the thread is.
    #[cold]
    #[inline(never)]
    pub fn give_up(&mut self) {
        let state = sections::state();
        let thread = thread::current();
        for object in &self.objects[..core::mem::take(&mut self.count)] {
            Granule::of(*object).finish(thread, state);
        }
    }

    /// Whether there is nothing that it was allowed and may not have accessed yet.
    pub fn is_idle(&self) -> bool {
        self.allowed == 0
    }

    /// Whether it holds that object and nothing else.
    #[inline(always)]
    pub fn holds_only(&self, object: u64) -> bool {
        self.count == 1 && self.objects[0] == object
    }

    /// What it was told of the access that it has been allowed.
    #[inline(always)]
    pub fn describe(&mut self, kind: u64, behind: u64) {
        self.kind = kind;
        self.behind = behind;
    }

    /// Whether it holds something for an access of which it can be told where the program makes it.
    pub fn can_be_placed(&self) -> bool {
        self.count != 0 && self.kind & kind::LONG == 0
    }

    /// Begins to hold an object.
    pub fn keep(&mut self, object: u64) {
        if let Some(place) = self.objects.get_mut(self.count) {
            *place = object;
            self.count += 1;
            self.allowed = self.count;
        }
    }

    /// Whether a replay waits for this version before it comes to the thread's next access.
    #[inline(always)]
    pub fn knows(&self, place: u64, version: Place) -> bool {
        self.known[place as usize % KNOWN] == (place, version.0)
    }

    /// It does from now on.
    pub fn learn(&mut self, place: u64, version: Place) {
        self.knows_any = true;
        self.known[place as usize % KNOWN] = (place, version.0);
    }
}

impl Accesses {
    /// Begins a set of objects that are accessed at once: those of `size` bytes at `address`. For a write, those are added that
    /// the thread holds for a read and may not have read yet: a compiler announces both sides of the copy of a structure,
    /// and then copies.
    pub fn gather(&mut self, address: u64, size: u64, kind: u64) {
        let writes = kind & kind::WRITES != 0;
        self.next.count = 0;
        for object in granule::objects(address, size).take(CAPACITY / 2) {
            self.next.insert(object, writes);
        }
        if writes && (self.kind | kind) & kind::VOLATILE == 0 && self.kind & kind::WRITES == 0 {
            for object in &self.objects[..self.allowed.min(CAPACITY / 2)] {
                self.next.insert(*object, false);
            }
        }
    }

    /// An object of the set by its number, and whether it is written.
    #[inline(always)]
    pub fn gathered(&self, number: usize) -> Option<(u64, bool)> {
        self.next.members[..self.next.count].get(number).copied()
    }
}

/// Objects by rising places in the table, in which no two are the same.
struct Set {
    count: usize,
    members: [(u64, bool); CAPACITY],
}

impl Set {
    fn insert(&mut self, object: u64, writes: bool) {
        let place = granule::place(object);
        let at = self.members[..self.count].partition_point(|(member, _)| granule::place(*member) < place);
        match self.members[..self.count].get_mut(at) {
            Some((member, written)) if granule::place(*member) == place => *written |= writes,
            _ if self.count < CAPACITY => {
                self.members.copy_within(at..self.count, at + 1);
                self.members[at] = (object, writes);
                self.count += 1;
            }
            _ => {}
        }
    }
}

/// The stream of a thread, plus one.
pub fn number(thread: &Thread) -> u32 {
    thread.stream + 1
}
