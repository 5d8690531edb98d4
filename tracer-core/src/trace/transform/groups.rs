//! Numbering the groups of a chunk in the order in which they first occur.

use std::collections::HashMap;

use super::Group;

/// The groups that have occurred.
///
/// Programs do the same things in the same order again and again, so that the group behind this one is most
/// often the one that was behind it before. Looking there first saves most of the hashing.
#[derive(Default)]
pub(super) struct Groups {
    numbers: HashMap<Group, usize>,
    /// By number: the group, and the number of the group that came last behind it.
    known: Vec<(Group, usize)>,
    current: usize,
}

impl Groups {
    pub(super) fn clear(&mut self) {
        self.numbers.clear();
        self.known.clear();
        self.current = 0;
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// By number.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Group> {
        self.known.iter().map(|(group, _)| group)
    }

    /// The number of the group that was last asked for.
    pub(super) fn current(&self) -> usize {
        self.current
    }

    /// The number of `group`; it is [`Groups::len`] before the call if it has not occurred.
    pub(super) fn number(&mut self, group: Group) -> usize {
        let follower = self.known.get(self.current).map_or(0, |&(_, follower)| follower);
        if let Some(&(known, _)) = self.known.get(follower)
            && known == group
        {
            self.current = follower;
            return follower;
        }
        let next = self.known.len();
        let number = *self.numbers.entry(group).or_insert(next);
        if number == next {
            self.known.push((group, 0));
        }
        if let Some((_, follower)) = self.known.get_mut(self.current) {
            *follower = number;
        }
        self.current = number;
        number
    }
}
