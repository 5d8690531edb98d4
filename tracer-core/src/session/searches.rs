//! What was found in executable segments, for the processes that map the same files later: looking through a
//! compiler's code takes ten milliseconds, and `make` starts a compiler for each file.
//!
//! A table that only grows, in the session's memory. Writers claim an entry, fill it in and publish it; a writer
//! that is killed in between leaves an entry that nobody uses. Readers take every number as possibly overwritten
//! by the program: they check what they find before they use it.

use core::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use xxhash_rust::xxh3::xxh3_128;

/// Segments that can be remembered.
const SEGMENTS: usize = 1024;
/// How many entries a key may be away from its own.
const REACH: usize = 16;
/// Places that can be remembered, in all segments together.
const PLACES: usize = 16384;

const FREE: u32 = 0;
const CLAIMED: u32 = 1;
const COMPLETE: u32 = 2;

/// Where in `count` it is said which other places the segment has, of which nobody can tell what they are.
const UNDECIDED: u32 = 30;

/// Executable segments that were looked through.
#[repr(C)]
pub struct Searches {
    /// How many of `places` are given out.
    used: AtomicU32,
    segments: [Segment; SEGMENTS],
    places: [AtomicU32; PLACES],
}

#[repr(C)]
struct Segment {
    state: AtomicU32,
    /// Where in `places`.
    first: AtomicU32,
    count: AtomicU32,
    key: [AtomicU64; 2],
}

/// What is known of a segment.
pub struct Searched<'a> {
    /// Its places, as offsets.
    pub places: &'a [AtomicU32],
    /// Two bits, which mean what [`Searches::add`] was told.
    pub undecided: u32,
}

/// A number for a file as it is now, which no other file and no changed one has, for what is remembered of it.
pub fn file_key(names: &[&[u8]], status: &libc::stat, more: &[u64]) -> u128 {
    let mut identity = Vec::with_capacity(512);
    for name in names {
        identity.extend_from_slice(name);
        identity.push(0);
    }
    let words = [
        status.st_dev,
        status.st_ino,
        status.st_size as u64,
        status.st_mtime as u64,
        status.st_mtime_nsec as u64,
        status.st_ctime as u64,
        status.st_ctime_nsec as u64,
    ];
    words.iter().chain(more).for_each(|word| identity.extend_from_slice(&word.to_le_bytes()));
    xxh3_128(&identity)
}

/// The key of the code of a mapped file: whose name and identity in /proc/self/maps are these, which is in this state, and
/// where the code is: the mapping's offset in the file, and the code's first address and that behind it, from the object's.
pub fn code_key(name: &[u8], file: [&[u8]; 2], status: &libc::stat, place: [u64; 3]) -> u128 {
    file_key(&[b"searched", name, file[0], file[1]], status, &place)
}

/// Both halves of a key.
fn halves(key: u128) -> [u64; 2] {
    [key as u64, (key >> 64) as u64]
}

impl Searches {
    /// The entries that a key may have.
    fn candidates(&self, key: u128) -> impl Iterator<Item = &Segment> {
        let own = key as usize % SEGMENTS;
        (own..own + REACH).filter_map(|index| self.segments.get(index % SEGMENTS))
    }

    /// What is known of the segment with this key, which says all that the result depends on.
    pub fn find(&self, key: u128) -> Option<Searched<'_>> {
        let segment = self.candidates(key).find(|segment| {
            segment.state.load(Ordering::Acquire) == COMPLETE
                && segment.key.each_ref().map(|half| half.load(Ordering::Relaxed)) == halves(key)
        })?;
        let count = segment.count.load(Ordering::Relaxed);
        let first = segment.first.load(Ordering::Relaxed) as usize;
        let places = self.places.get(first..first.checked_add((count & !(!0 << UNDECIDED)) as usize)?)?;
        Some(Searched { places, undecided: count >> UNDECIDED })
    }

    /// Remembers the places in a segment, and in two bits what else it may have. Does nothing if there is no room.
    pub fn add(&self, key: u128, places: &[u32], undecided: u32) {
        let claim = |segment: &&Segment| {
            segment.state.compare_exchange(FREE, CLAIMED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        };
        let first = self.used.fetch_add(places.len() as u32, Ordering::Relaxed) as usize;
        let Some(room) = first.checked_add(places.len()).and_then(|end| self.places.get(first..end)) else {
            return;
        };
        let Some(segment) = self.candidates(key).find(claim) else { return };
        for (to, from) in room.iter().zip(places) {
            to.store(*from, Ordering::Relaxed);
        }
        segment.first.store(first as u32, Ordering::Relaxed);
        segment.count.store(places.len() as u32 | undecided << UNDECIDED, Ordering::Relaxed);
        for (to, from) in segment.key.iter().zip(halves(key)) {
            to.store(from, Ordering::Relaxed);
        }
        segment.state.store(COMPLETE, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> Box<Searches> {
        // SAFETY: all-zero is a valid table: it is all atomics.
        unsafe { Box::<Searches>::new_zeroed().assume_init() }
    }

    fn places(searches: &Searches, key: u128) -> Option<Vec<u32>> {
        let found = searches.find(key)?;
        Some(found.places.iter().map(|place| place.load(Ordering::Relaxed)).collect())
    }

    #[test]
    fn what_was_added_is_found() {
        let searches = empty();
        let keys = (0..3u128).map(|number| (number << 64) + 7);
        for (key, number) in keys.clone().zip(1..) {
            assert!(searches.find(key).is_none());
            searches.add(key, &vec![number; number as usize], 0);
        }
        for (key, number) in keys.zip(1..) {
            assert_eq!(places(&searches, key), Some(vec![number; number as usize]));
        }
        searches.add(9, &[5], 2);
        assert_eq!(places(&searches, 9), Some(vec![5]));
        assert_eq!([7, 9].map(|key| searches.find(key).map(|found| found.undecided)), [Some(0), Some(2)]);
    }

    #[test]
    fn a_full_table_takes_no_more() {
        let searches = empty();
        for number in 0..=REACH as u128 {
            searches.add(number << 64, &[number as u32], 0);
        }
        assert_eq!(places(&searches, 0), Some(vec![0]));
        assert!(searches.find((REACH as u128) << 64).is_none());
        searches.add(500, &vec![1; PLACES], 0);
        assert!(searches.find(500).is_none());
        searches.add(600, &[], 0);
        assert!(searches.find(600).is_none());
    }

    #[test]
    fn overwritten_numbers_are_not_believed() {
        let searches = empty();
        searches.add(1, &[5], 0);
        let Some(segment) = searches.candidates(1).next() else { return };
        segment.first.store(u32::MAX, Ordering::Relaxed);
        assert!(searches.find(1).is_none());
    }
}
