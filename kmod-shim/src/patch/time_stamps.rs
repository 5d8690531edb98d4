//! Whether code can read the processor's time-stamp counter.
//!
//! While `rdtsc` traps, so does the vDSO's, and a clock read costs a microsecond. Most programs have no `rdtsc`
//! at all; that is found out by looking for its bytes, and where they are, by decoding the function around
//! them.

use super::eh_frame::{Segment, function_containing};
use super::function::for_each_instruction;
use super::object::Object;

const RDTSC: [u8; 2] = [0x0f, 0x31];
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];

/// Whether `rdtsc` or `rdtscp` may be executed in `object`'s code. Bytes that look like it where no function is
/// known count as such.
///
/// # Safety
/// `object` describes an object that is loaded and stays so during the call.
pub unsafe fn reads_time_stamps(object: &Object) -> bool {
    // SAFETY: the caller vouches for the object's segments.
    let (code, unwind) = unsafe { (segment(&object.code), segment(&object.unwind)) };
    let mut rest = code.bytes;
    let mut passed = 0;
    while let Some(found) = rest.iter().position(|byte| *byte == RDTSC[0]) {
        let candidate = &rest[found..];
        if candidate.starts_with(&RDTSC) || candidate.starts_with(&RDTSCP) {
            let address = code.address + (passed + found) as u64;
            if begins_instruction(&code, &unwind, object.unwind_header, address) {
                return true;
            }
        }
        passed += found + 1;
        rest = &rest[found + 1..];
    }
    false
}

/// # Safety
/// The range is mapped, readable and not written while the result is used.
unsafe fn segment<'a>(range: &core::ops::Range<u64>) -> Segment<'a> {
    let length = (range.end - range.start) as usize;
    // SAFETY: as the contract says.
    let bytes = unsafe { core::slice::from_raw_parts(range.start as *const u8, length) };
    Segment { address: range.start, bytes }
}

/// Whether an instruction begins at `address`, or cannot be excluded to.
fn begins_instruction(code: &Segment, unwind: &Segment, header: u64, address: u64) -> bool {
    let Some(function) = function_containing(unwind, header, address) else { return true };
    let mut begins = false;
    let read = for_each_instruction(code, &function, |placed, _| begins |= placed.address == address);
    begins || read.is_err()
}
