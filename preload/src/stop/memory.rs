//! One number for everything in the program's memory that it can change without a system call.

use crate::kernel;
use crate::start::{self, maps};
use kmod_shim::arch::native::user_memory;
use xxhash_rust::xxh3::xxh3_64;

/// Bytes below the stack pointer that belong to the function that runs.
const RED_ZONE: u64 = 128;
/// The unit of memory, in bytes.
pub const PAGE: usize = 4096;
/// An odd constant that spreads bits (of the golden ratio).
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
/// Bits of a page's word in /proc/self/pagemap: in memory, or swapped out.
const PRESENT: u64 = 3 << 62;
/// How many of those words are read at once.
const WORDS: usize = 512;

/// As [`hash`], and calls `visit` with every page that has a hash, in ascending order.
pub fn hash_pages(rsp: u64, visit: &mut dyn FnMut(u64, u64)) -> Option<u64> {
    sum(rsp, 0..0, visit)
}

/// Hash of all writable memory of the program, without our mapping at `hidden`. `None` if the kernel does not tell
/// what there is.
///
/// Of the process's first stack, what lies below the thread's stack pointer `rsp` (if it is there) is left out: it is
/// dead. Other stacks are in it as a whole, because nobody knows for certain which memory is one; their dead parts have
/// been left there by the program in both modes (what the loader leaves before us is cleared at start).
///
/// It is a sum over pages to which pages of zeros add nothing, so that it does not matter which pages that were
/// never written the kernel has.
pub fn hash(rsp: u64, hidden: core::ops::Range<u64>) -> Option<u64> {
    sum(rsp, hidden, &mut |_, _| ())
}

fn sum(rsp: u64, hidden: core::ops::Range<u64>, visit: &mut dyn FnMut(u64, u64)) -> Option<u64> {
    crate::watch::accesses::open_all();
    let text = kernel::read_file(c"/proc/thread-self/maps").ok()?;
    let pagemap = kernel::open(c"/proc/thread-self/pagemap").ok()?;
    let sum = hash_mappings(&text, pagemap, rsp, hidden, visit);
    kernel::close(pagemap);
    sum
}

fn hash_mappings(
    text: &[u8],
    pagemap: i32,
    rsp: u64,
    hidden: core::ops::Range<u64>,
    visit: &mut dyn FnMut(u64, u64),
) -> Option<u64> {
    let zeros = xxh3_64(&[0; PAGE]);
    let mut sum = 0u64;
    for mapping in maps::parse(text) {
        let range = start::of_program(&mapping);
        if !mapping.writable || !mapping.readable || hidden.contains(&mapping.begin) {
            continue;
        }
        let anonymous = mapping.name.is_empty() || mapping.name.starts_with(b"[");
        let first = mapping.name == b"[stack]" && range.contains(&rsp);
        let begin = if first { range.start.max((rsp - RED_ZONE) & !7) } else { range.start };
        let mut page = begin & !(PAGE as u64 - 1);
        while page < range.end {
            let count = (((range.end - page) as usize) / PAGE).min(WORDS);
            let present = if anonymous { presence(pagemap, page, count)? } else { [PRESENT; WORDS] };
            for (index, word) in present[..count].iter().enumerate() {
                if word & PRESENT != 0 {
                    let address = page + (index * PAGE) as u64;
                    let hash = hash_page(address, begin).wrapping_sub(zeros);
                    if hash != 0 {
                        visit(address, hash);
                    }
                    sum = sum.wrapping_add(hash.wrapping_mul(address ^ SPREAD | 1));
                }
            }
            page += (count * PAGE) as u64;
        }
    }
    Some(sum)
}

/// The words of `count` pages from `page` on in /proc/self/pagemap.
fn presence(pagemap: i32, page: u64, count: usize) -> Option<[u64; WORDS]> {
    let mut words = [0u64; WORDS];
    let bytes = 8 * count as u64;
    let offset = page / PAGE as u64 * 8;
    // SAFETY: the buffer has room for WORDS words, and count is at most that.
    let read = unsafe {
        kernel::call(libc::SYS_pread64, [pagemap as u64, words.as_mut_ptr() as u64, bytes, offset, 0, 0])
    };
    (read == Ok(bytes)).then_some(words)
}

/// Hash of a page, with what lies before `begin` as zeros; of a page of zeros if it cannot be read (it lies behind the
/// end of a file).
pub fn hash_page(address: u64, begin: u64) -> u64 {
    let mut bytes = [0u8; PAGE];
    let skipped = begin.saturating_sub(address) as usize;
    let target = &mut bytes[skipped..];
    // SAFETY: the target is ours; a bad source makes the copy fail, not fault.
    let copied = unsafe {
        user_memory::copy(target.as_mut_ptr(), (address as usize + skipped) as *const u8, target.len())
    };
    if copied { xxh3_64(&bytes) } else { xxh3_64(&[0; PAGE]) }
}
