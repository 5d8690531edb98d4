//! fork, while other threads allocate.
//!
//! The child has one thread, and a copy of the memory as it was at some moment. Central state has to be whole then, and
//! the same in replay: the forking thread is in all sections meanwhile. Other threads go on with their caches, and how far
//! each has got at that moment is not repeatable. So the child leaves their caches alone: what is in them is lost
//! to it, as are the blocks that these threads were using.

use super::{Heap, Section, System};

impl<S: System> Heap<S> {
    /// Enters all sections.
    pub fn before_fork(&self) {
        Section::all().for_each(|section| self.system.enter(section));
    }

    /// Leaves them, in the parent; and in the child, where the forking thread is in them too.
    pub fn after_fork(&self) {
        Section::all().rev().for_each(|section| self.system.leave(section));
    }
}
