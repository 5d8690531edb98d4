//! Where code has instructions whose results are not a function of the program's state: rdtsc, rdtscp, cpuid.
//!
//! They can be made to trap, but not everywhere and not for nothing: many hypervisors cannot fault `cpuid`, and
//! while `rdtsc` traps, so does the vDSO's, and a clock read costs a microsecond. So the instructions are looked
//! for, by their bytes, and where these are found, by decoding the function around them. The few that there are
//! (libc has two, for contended adaptive mutexes) are replaced by an instruction that is undefined.

use super::eh_frame::{Segment, describes_functions, function_containing};
use super::function::begins_at;
use super::object::Object;
use crate::arch::native::trap::Trapped;
use core::arch::x86_64::{
    __m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_loadu_si128, _mm_movemask_epi8, _mm_or_si128, _mm_set1_epi8,
};

/// The byte that all three begin with.
const ESCAPE: u8 = 0x0f;
/// The second bytes of rdtsc, cpuid and rdtscp.
const SECOND: [u8; 3] = [0x31, 0xa2, 0x01];
/// Bytes compared at once.
const LANE: usize = 16;

/// Which instructions code may have besides those that were found.
pub mod undecided {
    /// `rdtsc` or `rdtscp`.
    pub const TIME_STAMPS: u32 = 1;
    /// `cpuid`.
    pub const CPUID: u32 = 2;
}

/// Calls `found` with every such instruction in `object`'s code and its address; gives [`undecided`] for other such bytes,
/// of which it cannot be told whether an instruction begins there.
///
/// Bytes of `cpuid` outside all functions of an object that describes its functions are taken for data, as libcrypto has it
/// among its code, if nothing near before them sets eax, which says what `cpuid` is asked for: assembly often has no
/// description (nettle, x264, dav1d and gnutls are so), but sets eax in the lines before.
///
/// # Safety
/// `object` describes an object that is loaded and stays so during the call.
pub unsafe fn for_each(object: &Object, mut found: impl FnMut(u64, Trapped)) -> u32 {
    // SAFETY: the caller vouches for the object's segments.
    let (code, unwind) = unsafe { (segment(&object.code), segment(&object.unwind)) };
    let (mut from, mut undecided) = (0, 0);
    while let Some(at) = next_pair(code.bytes, from, ESCAPE, SECOND) {
        from = at + 1;
        let Some(candidate) = code.bytes.get(at..).and_then(|rest| rest.first_chunk().copied()) else {
            break;
        };
        let Some(trapped) = Trapped::decode(candidate) else { continue };
        let address = code.address + at as u64;
        match begins_instruction(&code, &unwind, object.unwind_header, address) {
            Some(true) => found(address, trapped),
            Some(false) => {}
            None if trapped != Trapped::Cpuid => undecided |= undecided::TIME_STAMPS,
            None if is_outside_functions(&unwind, object.unwind_header, address)
                && !sets_eax(&code.bytes[at.saturating_sub(SETS_WITHIN)..at]) => {}
            None => undecided |= undecided::CPUID,
        }
    }
    undecided
}

/// How far before a `cpuid` its assembly sets eax, in bytes.
const SETS_WITHIN: usize = 24;

/// Whether there may be an instruction in `bytes` that sets eax: `mov` with a constant or from a register or memory, or
/// `xor` and `sub` of it with itself.
fn sets_eax(bytes: &[u8]) -> bool {
    const CONSTANT_LENGTH: usize = 5;
    (0..bytes.len()).any(|at| match bytes[at..] {
        [0xb8, ..] => at + CONSTANT_LENGTH <= bytes.len(),
        [0x31 | 0x33 | 0x29 | 0x2b, 0xc0, ..] => true,
        [0x89, operands, ..] => operands & 0xc7 == 0xc0,
        [0x8b, operands, ..] => operands & 0x38 == 0,
        _ => false,
    })
}

/// Whether functions are described, and none of them is at `address`.
fn is_outside_functions(unwind: &Segment, header: u64, address: u64) -> bool {
    describes_functions(unwind, header) && function_containing(unwind, header, address).is_none()
}

/// The first place from `from` on that has `first` and then one of `seconds`. Every start of a process looks through
/// megabytes, so this goes by 16 bytes; and by two bytes at each, because [`ESCAPE`] alone is one byte in thirty.
pub(crate) fn next_pair(bytes: &[u8], mut from: usize, first: u8, seconds: [u8; 3]) -> Option<usize> {
    while let Some(lane) = bytes.get(from..).and_then(|rest| rest.first_chunk::<{ LANE + 1 }>()) {
        // SAFETY: SSE2 is part of x86-64; both loads are of 16 of the 17 valid bytes.
        let equal = unsafe {
            let here = _mm_loadu_si128(lane.as_ptr().cast::<__m128i>());
            let behind = _mm_loadu_si128(lane.as_ptr().add(1).cast::<__m128i>());
            let is = |lane, byte: u8| _mm_cmpeq_epi8(lane, _mm_set1_epi8(byte as i8));
            let [a, b, c] = seconds.map(|byte| is(behind, byte));
            let matching = _mm_or_si128(_mm_or_si128(a, b), c);
            _mm_movemask_epi8(_mm_and_si128(is(here, first), matching))
        };
        if equal != 0 {
            return Some(from + equal.trailing_zeros() as usize);
        }
        from += LANE;
    }
    let rest = bytes.get(from..)?;
    rest.windows(2).position(|pair| pair[0] == first && seconds.contains(&pair[1])).map(|at| from + at)
}

/// # Safety
/// The range is mapped, readable and not written while the result is used.
unsafe fn segment<'a>(range: &core::ops::Range<u64>) -> Segment<'a> {
    let length = (range.end - range.start) as usize;
    // SAFETY: as the contract says.
    let bytes = unsafe { core::slice::from_raw_parts(range.start as *const u8, length) };
    Segment { address: range.start, bytes }
}

/// Whether an instruction begins at `address`; `None` if that cannot be told. `unwind` is the segment that has the unwind
/// tables, and `header` the address of their search table.
pub fn begins_instruction(code: &Segment, unwind: &Segment, header: u64, address: u64) -> Option<bool> {
    let function = function_containing(unwind, header, address)?;
    begins_at(code, &function, address).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assembly_is_told_from_tables_by_what_is_before() {
        let nettle = [0x53, 0x89, 0xf8, 0x31, 0xc9];
        let gnutls = [0x75, 0x22, 0xb8, 0x00, 0x00, 0x00, 0xc0];
        let media = [0x89, 0x5c, 0x24, 0x38, 0x31, 0xc0];
        assert!([&nettle[..], &gnutls, &media].into_iter().all(sets_eax));
        let libcrypto = [0x32, 0xc8, 0x72, 0x4a, 0x96, 0x40, 0x8d, 0x0a, 0x9c, 0x22];
        let jump_table = [0xff, 0x87, 0xa1, 0x05, 0xff, 0x97, 0xa1, 0x05, 0xff];
        let cut = [0x00, 0xb8, 0x00, 0x00];
        assert!(![&libcrypto[..], &jump_table, &cut, &[]].into_iter().any(sets_eax));
    }

    #[test]
    fn every_place_is_found() {
        for second in SECOND {
            for length in 2..40 {
                for place in 0..length - 1 {
                    let mut bytes = vec![ESCAPE; length];
                    bytes[place + 1] = second;
                    assert_eq!(next_pair(&bytes, 0, ESCAPE, SECOND), Some(place));
                    assert_eq!(next_pair(&bytes, place, ESCAPE, SECOND), Some(place));
                    assert_eq!(next_pair(&bytes, place + 1, ESCAPE, SECOND), None);
                }
                assert_eq!(next_pair(&vec![ESCAPE; length], 0, ESCAPE, SECOND), None);
            }
        }
    }
}
