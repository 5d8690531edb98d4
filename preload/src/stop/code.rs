//! Reading and changing the program's code.

use kmod_shim::arch::native::{raw, user_memory};
use kmod_shim::patch::kernel::{Piece, write_as_debugger};

const PAGE: usize = 4096;

/// Reads code at `address`; gives how many bytes of `target` could be read.
pub fn read(address: u64, target: &mut [u8]) -> usize {
    let mut done = 0;
    while done < target.len() {
        let from = address as usize + done;
        let piece = (PAGE - from % PAGE).min(target.len() - done);
        // SAFETY: the target is ours; a bad source makes the copy fail, not fault.
        if !unsafe { user_memory::copy(target[done..].as_mut_ptr(), from as *const u8, piece) } {
            break;
        }
        done += piece;
    }
    done
}

/// Writes `bytes` to code at `address`; false if the kernel does not let us, or the bytes did not get there.
///
/// # Safety
/// The program's only thread is stopped, and not between the instructions that are changed.
pub unsafe fn write(address: u64, bytes: &[u8]) -> bool {
    // SAFETY: the caller vouches for who executes the code; the calls are those of a debugger's write.
    let written = unsafe {
        write_as_debugger(|number, arguments| raw::call(number, arguments), &[Piece { address, bytes }])
    };
    let mut present = [0u8; 256];
    let present = &mut present[..bytes.len()];
    written == 0 && read(address, present) == bytes.len() && present == bytes
}
