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

    /// Where the text is that one at the program's `address` most likely is like: the one that was there before
    /// (programs build path after path in the same buffer, and use it for several calls), else the last.
    pub(super) fn before(&self, address: u64) -> Range<usize> {
        let (known, place) = &self.by_address[slot(address)];
        if *known == address { place.clone() } else { self.last.clone() }
    }

    /// From now on the text at `place` counts, which was at the program's `address`.
    pub(super) fn remember(&mut self, address: u64, place: Range<usize>) {
        self.by_address[slot(address)] = (address, place.clone());
        self.last = place;
    }
}

fn slot(address: u64) -> usize {
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - PLACES.ilog2())) as usize
}

/// How many bytes a text takes over from the one before, as a byte: 0 for all of them, as when several calls are
/// given the same path, else one more than the number.
pub(super) fn shared(before: &[u8], text: &[u8]) -> (u8, usize) {
    if text.starts_with(before) {
        return (0, before.len());
    }
    let most = usize::from(u8::MAX) - 1;
    let length = before.iter().zip(text).take(most).take_while(|(one, other)| one == other).count();
    (length as u8 + 1, length)
}

/// The number of bytes that [`shared`] meant, `None` if the text before has not so many.
pub(super) fn shared_length(byte: u8, before: usize) -> Option<usize> {
    match byte.checked_sub(1) {
        None => Some(before),
        Some(length) => Some(length.into()).filter(|&length| length <= before),
    }
}
