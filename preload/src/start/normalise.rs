//! Making the parts of the image that the kernel and the loader filled in before us what they were.

use super::layout::InitialStack;
use core::arch::asm;
use kmod_shim::arch::native::raw;
use tracer_core::event::ImageIdentity;

/// Offset of the stack canary from fs (glibc's `tcbhead_t`).
const CANARY: u64 = 0x28;
/// Offset of the pointer guard from fs.
const POINTER_GUARD: u64 = 0x30;
/// Where in glibc's `struct pthread` (which begins at fs) the thread id may lie.
const THREAD_ID_SEARCH: core::ops::Range<u64> = 0x2c0..0x330;
const SEARCHED_WORDS: usize = ((THREAD_ID_SEARCH.end - THREAD_ID_SEARCH.start) / 8) as usize;

fn thread_pointer() -> u64 {
    let pointer;
    // SAFETY: on x86-64 the word at fs:0 is the thread pointer itself.
    unsafe { asm!("mov {}, fs:[0]", out(reg) pointer, options(nostack, preserves_flags, readonly)) };
    pointer
}

/// Takes back the area in which the kernel would keep the processor's number for this thread
/// (restartable sequences, glibc 2.35 and later register it): written behind our back, it can't be replayed.
pub fn unregister_restartable_sequences() {
    const UNREGISTER: u64 = 1;
    const SIGNATURE: u64 = 0x5305_3053;
    const SIZE: u64 = 32;
    /// RSEQ_CPU_ID_REGISTRATION_FAILED, which glibc reads as "ask the kernel".
    const NO_PROCESSOR: i32 = -2;
    // SAFETY: dlsym may be called from a constructor; the variable, where there is one, is a ptrdiff_t.
    let area = unsafe {
        let offset = libc::dlsym(libc::RTLD_DEFAULT, c"__rseq_offset".as_ptr()).cast::<i64>();
        if offset.is_null() {
            return;
        }
        thread_pointer().wrapping_add_signed(*offset)
    };
    // SAFETY: the area is what glibc registered; after it is taken back, nobody else writes it.
    unsafe {
        if raw::call(libc::SYS_rseq, [area, SIZE, UNREGISTER, SIGNATURE, 0, 0]) == 0 {
            core::ptr::write_bytes(area as *mut u8, 0, SIZE as usize);
            *((area + 4) as *mut i32) = NO_PROCESSOR;
        }
    }
}

/// Replay: gives the image the recorded random bytes (and so the canary and pointer guard that glibc made of
/// them) and the recorded thread id. `program_stack` is where the functions that called us have their frames.
pub fn adopt(stack: &InitialStack, identity: &ImageIdentity, program_stack: u64) {
    let Some(random) = stack.random() else { return };
    let (_, real_thread) = crate::kernel::real_ids();
    let base = thread_pointer();
    // SAFETY: AT_RANDOM's bytes are on the writable initial stack; canary, guard and thread id are in the
    // thread's control block, which is writable.
    unsafe {
        random.write_unaligned(identity.random);
        let canary = (base + CANARY) as *mut u64;
        let old = *canary;
        let new = identity.random[0] & !0xff;
        *canary = new;
        *((base + POINTER_GUARD) as *mut u64) = identity.random[1];
        replace_on_stack(old, new, program_stack, random as u64);
        let begin = base + THREAD_ID_SEARCH.start;
        let words = core::slice::from_raw_parts(begin as *const u64, SEARCHED_WORDS);
        if let Some(place) = place_of_id(words, real_thread) {
            *(begin as *mut u32).add(2 * place) = identity.thread;
        }
    }
}

/// Which word begins with the thread's id. glibc's `tid` comes behind two pointers (struct pthread), so it is the lower half of a word:
/// 32767, as an id, is also the upper half of every address of a library.
fn place_of_id(words: &[u64], id: u32) -> Option<usize> {
    words.iter().position(|word| *word as u32 == id)
}

/// The functions that called us have the old canary in their frames and would abort when they return.
///
/// # Safety
/// The stack is mapped from `from` to `top`.
unsafe fn replace_on_stack(old: u64, new: u64, from: u64, top: u64) {
    let mut here = from & !7;
    while here + 8 <= top {
        let word = here as *mut u64;
        // SAFETY: between here and the initial stack's contents all is mapped. A 56-bit random value does not
        // occur by chance.
        unsafe {
            if word.read_volatile() == old {
                word.write_volatile(new);
            }
        }
        here += 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_no_half_of_an_address() {
        let words = [0x7fff_f7fb_5d40, 0x7fff_f7ff_da40, 0x1234_0000_7fff, 0];
        assert_eq!(place_of_id(&words, 0x7fff), Some(2));
        assert_eq!(place_of_id(&words, 5), None);
    }
}
