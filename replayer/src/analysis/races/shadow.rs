//! What is remembered of each word of memory: who accessed it last, and when.

use super::super::watched::Space;
use super::order::Order;
use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

/// Bytes that are remembered together.
const WORD: u64 = 8;

/// The words that so many bytes lie in.
pub fn words(address: u64, size: u64) -> impl Iterator<Item = u64> {
    (address & !(WORD - 1)..address.saturating_add(size)).step_by(WORD as usize)
}

/// An access that is remembered.
struct Cell {
    /// By which thread.
    stream: u32,
    /// Its moment.
    moment: u64,
    /// Which bytes of the word.
    bytes: u8,
    /// It has written them.
    writes: bool,
    /// Which of all accesses.
    number: usize,
}

/// See the module.
#[derive(Default)]
pub struct Shadow {
    words: HashMap<Space, BTreeMap<u64, Vec<Cell>>>,
}

impl Shadow {
    /// Access number `number`, to `memory`: gives the numbers of those of other threads that it conflicts with and that did not
    /// come before.
    pub fn access(
        &mut self,
        order: &Order,
        space: Space,
        memory: Range<u64>,
        stream: u32,
        writes: bool,
        number: usize,
    ) -> Vec<usize> {
        let known = self.words.entry(space).or_default();
        let moment = order.moment(stream);
        let mut conflicts = Vec::new();
        for word in words(memory.start, memory.end - memory.start) {
            let begin = memory.start.max(word) - word;
            let end = memory.end.min(word + WORD) - word;
            let bytes = (begin..end).fold(0u8, |bytes, bit| bytes | 1 << bit);
            let cells = known.entry(word).or_default();
            let races = |cell: &&Cell| {
                cell.bytes & bytes != 0
                    && (writes || cell.writes)
                    && !order.is_before(cell.stream, cell.moment, stream)
            };
            conflicts.extend(cells.iter().filter(races).map(|cell| cell.number));
            // What this one repeats need not be known any more.
            cells.retain(|cell| cell.stream != stream || cell.bytes & !bytes != 0 || cell.writes && !writes);
            cells.push(Cell { stream, moment, bytes, writes, number });
        }
        conflicts
    }

    /// What lay there is gone.
    pub fn forget(&mut self, space: Space, memory: Range<u64>) {
        if let Some(words) = self.words.get_mut(&space) {
            let all: Vec<u64> =
                words.range(memory.start & !(WORD - 1)..memory.end).map(|(word, _)| *word).collect();
            for word in all {
                words.remove(&word);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = (0, 0);

    fn conflicts(accesses: &[(u32, Range<u64>, bool)]) -> Vec<Vec<usize>> {
        let (order, mut shadow) = (Order::default(), Shadow::default());
        let mut all = Vec::new();
        for (number, (stream, memory, writes)) in accesses.iter().enumerate() {
            let found = shadow.access(&order, SPACE, memory.clone(), *stream, *writes, number);
            all.push(found);
        }
        all
    }

    #[test]
    fn two_accesses_conflict_if_one_writes_and_they_have_bytes_in_common() {
        let none: Vec<usize> = Vec::new();
        assert_eq!(conflicts(&[(1, 8..16, false), (2, 8..16, false)])[1], none);
        assert_eq!(conflicts(&[(1, 8..16, true), (1, 8..16, true)])[1], none);
        assert_eq!(conflicts(&[(1, 8..16, false), (2, 12..14, true)])[1], [0]);
        assert_eq!(conflicts(&[(1, 8..12, true), (2, 12..16, true)])[1], none);
        assert_eq!(conflicts(&[(1, 14..18, true), (2, 16..17, false)])[1], [0]);
    }

    #[test]
    fn a_read_does_not_hide_the_write_before_it() {
        assert_eq!(conflicts(&[(1, 0..8, true), (1, 0..8, false), (2, 0..8, false)])[2], [0]);
    }

    #[test]
    fn memory_that_was_given_back_has_no_past() {
        let (order, mut shadow) = (Order::default(), Shadow::default());
        shadow.access(&order, SPACE, 8..16, 1, true, 0);
        shadow.forget(SPACE, 8..16);
        assert!(shadow.access(&order, SPACE, 8..16, 2, true, 1).is_empty());
    }
}
