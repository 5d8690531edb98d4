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
/// Such bytes outside all functions of an object that describes its functions are taken for data, as libcrypto has it
/// among its code, if what is around them is not what assembly has there, which often has no description (nettle, x264, dav1d and gnutls are
/// so): something near before `cpuid` sets eax, which says what it is asked for, and something near behind the
/// others takes the result from eax or edx.
///
/// # Safety
/// `object` describes an object that is loaded and stays so during the call.
pub unsafe fn for_each(object: &Object, mut found: impl FnMut(u64, Trapped)) -> u32 {
    // SAFETY: the caller vouches for the object's segments.
    let (code, unwind) = unsafe { (Segment::at(&object.code), Segment::at(&object.unwind)) };
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
            None if is_outside_functions(&unwind, object.unwind_header, address)
                && !is_likely(&code, at, trapped) => {}
            None if trapped == Trapped::Cpuid => undecided |= undecided::CPUID,
            None => undecided |= undecided::TIME_STAMPS,
        }
    }
    undecided
}

/// Whether what is around such bytes, at this offset in the code, is what assembly has there.
fn is_likely(code: &Segment, at: usize, trapped: Trapped) -> bool {
    if trapped == Trapped::Cpuid {
        return sets_eax(&code.bytes[at.saturating_sub(SETS_WITHIN)..at]);
    }
    let behind = code.bytes.get(at + trapped.length() as usize..).unwrap_or_default();
    uses_result(&behind[..behind.len().min(USES_WITHIN)])
}

/// How far before a `cpuid` its assembly sets eax, in bytes.
const SETS_WITHIN: usize = 24;
/// How far behind an `rdtsc` its result is used.
const USES_WITHIN: usize = 16;

/// Whether there may be an instruction in `bytes` that takes eax or edx elsewhere (`mov`), or shifts or joins them (`shl edx, 32`,
/// `or` of one register with the other).
fn uses_result(bytes: &[u8]) -> bool {
    let is_half = |number: u8| number == 0 || number == 2;
    bytes.windows(2).any(|pair| match *pair {
        [0x89, operands] => is_half(operands >> 3 & 7),
        [0x8b, operands] => operands >> 6 == 3 && is_half(operands & 7),
        [0xc1, operands] => operands == 0xe2,
        [0x09, operands] => operands == 0xd0 || operands == 0xc2,
        _ => false,
    })
}

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
    fn time_stamps_are_told_from_tables_by_what_is_behind() {
        let joined = [0x48, 0xc1, 0xe2, 0x20, 0x48, 0x09, 0xd0, 0xf3, 0xc3];
        let compared = [0x89, 0xc2, 0x44, 0x29, 0xc0, 0x41, 0x89, 0xd0];
        let stored = [0x0f, 0xae, 0xe8, 0x41, 0x89, 0x07, 0x41, 0x89, 0x57, 0x04];
        let read = [0x44, 0x8b, 0xc0];
        assert!([&joined[..], &compared, &stored, &read].into_iter().all(uses_result));
        // What libcrypto has in its tables for elliptic curves.
        let table_0 =
            [0x42, 0x39, 0xd7, 0x67, 0x6a, 0x38, 0x28, 0xcc, 0x31, 0x44, 0x8d, 0x8d, 0x54, 0x25, 0x24, 0xc5];
        let table_1 =
            [0x66, 0x61, 0xc1, 0x12, 0xf4, 0x32, 0x0a, 0x43, 0xae, 0x2f, 0xe5, 0xac, 0x88, 0xd3, 0x76, 0x67];
        let table_2 =
            [0xa0, 0x26, 0x81, 0x4c, 0x68, 0x2e, 0xb4, 0x49, 0x76, 0xb1, 0xa0, 0xce, 0xc3, 0x44, 0xa4, 0x0e];
        assert!(![&table_0, &table_1, &table_2].into_iter().any(|bytes| uses_result(bytes)));
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
