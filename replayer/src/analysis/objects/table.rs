//! The descriptors of one process.

use rpds::RedBlackTreeMap;

/// What a descriptor stands for.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Number of the open thing.
    pub open: usize,
    /// It does not outlive an exec.
    pub closes_on_exec: bool,
}

/// Descriptors and the working directory. Copying one takes no time, as forks do so.
#[derive(Clone, Default)]
pub struct Table {
    descriptors: RedBlackTreeMap<i32, Descriptor>,
    /// Path of the working directory.
    pub directory: Vec<u8>,
}

impl Table {
    /// What `descriptor` stands for.
    pub fn get(&self, descriptor: i32) -> Option<Descriptor> {
        self.descriptors.get(&descriptor).copied()
    }

    /// The numbers of the open things that descriptors stand for.
    pub fn opens(&self) -> impl Iterator<Item = usize> + '_ {
        self.descriptors.values().map(|descriptor| descriptor.open)
    }

    /// `descriptor` stands for this from now on.
    pub fn set(&mut self, descriptor: i32, what: Descriptor) {
        self.descriptors.insert_mut(descriptor, what);
    }

    /// `descriptor` is closed.
    pub fn close(&mut self, descriptor: i32) {
        self.descriptors.remove_mut(&descriptor);
    }

    /// `descriptor` closes on exec, or not.
    pub fn mark(&mut self, descriptor: i32, closes_on_exec: bool) {
        if let Some(known) = self.get(descriptor) {
            self.set(descriptor, Descriptor { closes_on_exec, ..known });
        }
    }

    /// Descriptors from `first` to `last` are closed, or marked to be on exec.
    pub fn close_range(&mut self, first: i32, last: i32, mark: bool) {
        let within: Vec<i32> =
            self.descriptors.range(first..=last).map(|(descriptor, _)| *descriptor).collect();
        for descriptor in within {
            if mark { self.mark(descriptor, true) } else { self.close(descriptor) }
        }
    }

    /// Another program takes over.
    pub fn exec(&mut self) {
        let closing: Vec<i32> = self
            .descriptors
            .iter()
            .filter(|(_, what)| what.closes_on_exec)
            .map(|(number, _)| *number)
            .collect();
        closing.into_iter().for_each(|descriptor| self.close(descriptor));
    }
}
