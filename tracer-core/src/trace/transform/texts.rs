//! What a text is compared to.

use std::ops::Range;

/// Places that are remembered; a power of two.
const PLACES: usize = 64;

/// Texts of a chunk that a later one may begin like. Encoder and decoder keep it in step.
pub(super) struct Texts {
    by_address: [(u64, Range<usize>); PLACES],
    last: Range<usize>,
}

impl Texts {
    pub(super) fn new() -> Texts {
        Texts { by_address: [const { (0, 0..0) }; PLACES], last: 0..0 }
    }

    /// Where the text is that one at the program's `address` most likely begins like: the one that was there
    /// before (programs build path after path in the same buffer, and use it for several calls), else the last.
    /// From now on the text at `now` counts.
    pub(super) fn replace(&mut self, address: u64, now: Range<usize>) -> Range<usize> {
        let hash = address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2());
        let (known, place) = &mut self.by_address[hash as usize];
        let before = if *known == address { place.clone() } else { self.last.clone() };
        (*known, *place) = (address, now.clone());
        self.last = now;
        before
    }
}

/// How many first bytes are equal, as far as a byte can tell.
pub(super) fn shared(one: &[u8], other: &[u8]) -> u8 {
    one.iter().zip(other).take(u8::MAX.into()).take_while(|(one, other)| one == other).count() as u8
}
