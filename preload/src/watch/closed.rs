//! Memory whose protection is taken away, so that the next access to it shows.
//!
//! The program must not see that, and neither must what this library does for it: the kernel is given open memory
//! ([`Closed::open`]), and where our own code meets a closed page, that one is opened. Whoever lets the program go on
//! closes it all again ([`Closed::close`]).

use crate::start::{self, maps};
use crate::{arena, kernel, stop};
use alloc::vec::Vec;
use core::ops::Range;
use kmod_shim::arch::native::signal_frame::Access;

/// The unit of protection, in bytes.
pub const PAGE: u64 = 4096;
/// What of the first stack stays open at its lower end, where the kernel makes it larger: new pages have the protection
/// of those above.
const STACK_END: u64 = 4 * PAGE;

/// See the module.
pub struct Closed {
    /// What is to be closed, in ascending order.
    ranges: Vec<Range<u64>>,
    /// It is, but for `opened`.
    is_closed: bool,
    /// Pages that were opened since.
    opened: Vec<u64>,
    /// What is mapped has changed since `ranges` were found.
    is_stale: bool,
}

impl Closed {
    /// Nothing is closed yet.
    pub const fn new() -> Closed {
        Closed { ranges: Vec::new(), is_closed: false, opened: Vec::new(), is_stale: true }
    }

    /// Whether the page of `address` is closed.
    pub fn contains(&self, address: u64) -> bool {
        self.is_closed && self.is_ours(address) && !self.opened.contains(&page_of(address))
    }

    fn is_ours(&self, address: u64) -> bool {
        let behind = self.ranges.partition_point(|range| range.start <= address);
        behind > 0 && self.ranges[behind - 1].contains(&address)
    }

    /// Opens the page of `address`, as far as the access needs it.
    pub fn open_page(&mut self, address: u64, access: Access) {
        let page = page_of(address);
        let rights =
            if access == Access::Write { libc::PROT_READ | libc::PROT_WRITE } else { libc::PROT_READ };
        protect(page..page + PAGE, rights);
        self.opened.push(page);
    }

    /// Whether the page of `address` was opened since the others were closed; for reading only, perhaps.
    pub fn was_opened(&self, address: u64) -> bool {
        self.is_closed && self.opened.contains(&page_of(address))
    }

    /// Opens everything.
    pub fn open(&mut self) {
        if core::mem::take(&mut self.is_closed) {
            for range in &self.ranges {
                protect(range.clone(), libc::PROT_READ | libc::PROT_WRITE);
            }
            self.opened.clear();
        }
    }

    /// What is mapped has changed, or is about to; everything is open.
    pub fn forget(&mut self) {
        self.is_stale = true;
    }

    /// Closes everything; `listed` are the only pages that count, in ascending order, if there is a list.
    pub fn close(&mut self, listed: Option<&[u64]>) {
        if core::mem::take(&mut self.is_stale) {
            self.open();
            self.ranges = writable(listed);
        }
        if core::mem::replace(&mut self.is_closed, true) {
            for page in self.opened.drain(..) {
                protect(page..page + PAGE, libc::PROT_NONE);
            }
        } else {
            for range in &self.ranges {
                protect(range.clone(), libc::PROT_NONE);
            }
        }
    }
}

/// The page that an address is in.
pub fn page_of(address: u64) -> u64 {
    address & !(PAGE - 1)
}

/// A failure leaves an access unseen, or makes it show twice.
fn protect(range: Range<u64>, rights: i32) {
    // SAFETY: writable memory of the program, whose protection is given back before anybody relies on it.
    let _ = unsafe {
        kernel::call(libc::SYS_mprotect, [range.start, range.end - range.start, rights as u64, 0, 0, 0])
    };
}

/// The program's writable memory, without code, and without the variables of libc and of the loader, which they see to.
fn writable(listed: Option<&[u64]>) -> Vec<Range<u64>> {
    let Ok(text) = kernel::read_file(c"/proc/thread-self/maps") else { return Vec::new() };
    let mut ranges = Vec::new();
    let mut behind_libc = 0;
    for mapping in maps::parse(&text) {
        // What the file has no room for is in a mapping without a name, right behind.
        let is_libc =
            maps::is_of_libc(mapping.name) || mapping.name.is_empty() && mapping.begin == behind_libc;
        if is_libc {
            behind_libc = mapping.end;
        }
        let of_program = start::of_program(&mapping);
        let is_data = mapping.readable && mapping.writable && !mapping.executable;
        let is_ours = arena::RANGE.contains(&(of_program.start as usize)) || stop::is_ours(of_program.start);
        if !is_data || is_libc || is_ours {
            continue;
        }
        let skipped = if mapping.name == b"[stack]" { STACK_END } else { 0 };
        let range = of_program.start + skipped..of_program.end;
        match listed {
            None if range.start < range.end => ranges.push(range),
            None => {}
            Some(pages) => add_listed(&mut ranges, pages, &range),
        }
    }
    ranges
}

/// Adds the pages of the list that are in `range`, those that follow each other as one.
fn add_listed(ranges: &mut Vec<Range<u64>>, pages: &[u64], range: &Range<u64>) {
    let first = pages.partition_point(|page| *page < range.start);
    for &page in pages[first..].iter().take_while(|page| **page < range.end) {
        match ranges.last_mut().filter(|last| last.end == page && last.start >= range.start) {
            Some(last) => last.end = page + PAGE,
            None => ranges.push(page..page + PAGE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_of_the_list_that_follow_each_other_are_one_range_in_each_mapping() {
        let pages = [0x1000, 0x2000, 0x5000, 0x6000, 0x9000];
        let mut ranges = Vec::new();
        for mapping in [0x2000..0x6000, 0x6000..0x8000] {
            add_listed(&mut ranges, &pages, &mapping);
        }
        assert_eq!(ranges, [0x2000..0x3000, 0x5000..0x6000, 0x6000..0x7000]);
    }
}
