//! Where code reads the processor's time-stamp counter.
//!
//! While `rdtsc` traps, so does the vDSO's, and a clock read costs a microsecond. So the instructions are looked
//! for: by their bytes, and where these are found, by decoding the function around them. A breakpoint on each
//! of the few that there are (libc has two, for contended adaptive mutexes) then does what the trap did.

use super::eh_frame::{Segment, function_containing};
use super::function::for_each_instruction;
use super::object::Object;

const RDTSC: [u8; 2] = [0x0f, 0x31];
const RDTSCP: [u8; 3] = [0x0f, 0x01, 0xf9];

/// Calls `found` with the address of every `rdtsc` and `rdtscp` in `object`'s code; false if there are such bytes
/// where it cannot be told whether an instruction begins.
///
/// # Safety
/// `object` describes an object that is loaded and stays so during the call.
pub unsafe fn for_each_time_stamp(object: &Object, mut found: impl FnMut(u64)) -> bool {
    // SAFETY: the caller vouches for the object's segments.
    let (code, unwind) = unsafe { (segment(&object.code), segment(&object.unwind)) };
    let mut rest = code.bytes;
    let mut address = code.address;
    while let Some(passed) = rest.iter().position(|byte| *byte == RDTSC[0]) {
        address += passed as u64;
        rest = rest.get(passed..).unwrap_or_default();
        if rest.starts_with(&RDTSC) || rest.starts_with(&RDTSCP) {
            match begins_instruction(&code, &unwind, object.unwind_header, address) {
                Some(true) => found(address),
                Some(false) => {}
                None => return false,
            }
        }
        address += 1;
        rest = rest.get(1..).unwrap_or_default();
    }
    true
}

/// # Safety
/// The range is mapped, readable and not written while the result is used.
unsafe fn segment<'a>(range: &core::ops::Range<u64>) -> Segment<'a> {
    let length = (range.end - range.start) as usize;
    // SAFETY: as the contract says.
    let bytes = unsafe { core::slice::from_raw_parts(range.start as *const u8, length) };
    Segment { address: range.start, bytes }
}

/// Whether an instruction begins at `address`; `None` if that cannot be told.
fn begins_instruction(code: &Segment, unwind: &Segment, header: u64, address: u64) -> Option<bool> {
    let function = function_containing(unwind, header, address)?;
    let mut begins = false;
    for_each_instruction(code, &function, |placed, _| begins |= placed.address == address).ok()?;
    Some(begins)
}
