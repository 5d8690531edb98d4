//! Which of the program's mappings show memory that other calls, mappings or processes can change: shared
//! memory of every kind, and files that are not kept by reference.
//!
//! Both modes keep this table, and number the files alike: recording counts (over all processes), replay reads the
//! numbers in the log. Each process has its own; a child of fork starts with a copy.

use super::names;
use crate::{kernel, process};
use alloc::vec::Vec;
use core::cell::UnsafeCell;
use core::ops::Range;
use core::sync::atomic::{AtomicBool, Ordering};

/// What makes two mappings show the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Identity {
    /// A file.
    Inode {
        /// Its device.
        device: u64,
        /// Its number there.
        inode: u64,
    },
    /// A System V shared memory segment, by its id.
    Segment(i32),
    /// Nothing else can show them.
    Anonymous,
}

/// Something that is mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct File {
    /// Its number, unique in the recording.
    pub number: u64,
    /// Recording: what it is.
    pub identity: Identity,
    /// Its size in bytes when we last heard of it.
    pub size: u64,
    /// Recording: its bytes are in the trace by reference, so that changes cannot be followed.
    pub by_reference: bool,
    /// Replay: the memory file that stands in for it, otherwise -1.
    pub descriptor: i32,
    /// Other processes may map it by a name, and it is mapped shared.
    pub named: bool,
}

/// A range of addresses that shows part of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Region {
    /// The addresses.
    pub range: Range<u64>,
    /// Number of the file.
    pub file: u64,
    /// Offset in the file of the first address.
    pub offset: u64,
    /// Stores reach the file.
    pub shared: bool,
}

impl Region {
    /// Offset in the file of what is at `address`.
    pub fn offset_of(&self, address: u64) -> u64 {
        self.offset + (address - self.range.start)
    }

    /// The part that lies in `range`, if any.
    fn part(&self, range: &Range<u64>) -> Option<Region> {
        let start = self.range.start.max(range.start);
        let end = self.range.end.min(range.end);
        if start >= end {
            return None;
        }
        Some(Region { range: start..end, offset: self.offset_of(start), ..*self })
    }
}

/// The table.
pub struct Mapped {
    files: Vec<File>,
    regions: Vec<Region>,
}

struct Holder(UnsafeCell<Mapped>);

// SAFETY: only the thread that has the right to run (one at a time in serial order) goes through `get`.
unsafe impl Sync for Holder {}

static MAPPED: Holder = Holder(UnsafeCell::new(Mapped::new()));
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether the table has anything in it: most programs pay for no more than this.
#[inline]
pub fn any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// The table.
///
/// A reference must not be kept across anything that may let another thread run.
#[allow(clippy::mut_from_ref)]
pub fn get() -> &'static mut Mapped {
    // SAFETY: exclusive by the right to run.
    unsafe { &mut *MAPPED.0.get() }
}

impl Mapped {
    const fn new() -> Mapped {
        Mapped { files: Vec::new(), regions: Vec::new() }
    }

    /// All regions.
    pub fn regions(&mut self) -> &mut [Region] {
        &mut self.regions
    }

    /// All files.
    pub fn files(&mut self) -> &mut [File] {
        &mut self.files
    }

    /// Recording: the file that `identity` names, if it is mapped.
    pub fn find(&mut self, identity: Identity) -> Option<&mut File> {
        self.files.iter_mut().find(|file| identity != Identity::Anonymous && file.identity == identity)
    }

    /// Recording: the number of the file that `identity` names, which is new if it was not mapped yet.
    pub fn number_of(&mut self, identity: Identity, size: u64, by_reference: bool) -> u64 {
        if let Some(file) = self.find(identity) {
            file.size = size;
            file.by_reference &= by_reference;
            return file.number;
        }
        let number = next_number();
        self.files.push(File { number, identity, size, by_reference, descriptor: -1, named: false });
        number
    }

    /// Recording: as [`Mapped::number_of`], for what is mapped shared: all processes give it the same number.
    pub fn number_of_shared(&mut self, identity: Identity, size: u64) -> u64 {
        if let Some(file) = self.find(identity).filter(|file| file.named) {
            file.size = size;
            return file.number;
        }
        let number = names::register(identity, next_number());
        match number {
            Some(number) => {
                let file = File { number, identity, size, by_reference: false, descriptor: -1, named: true };
                // Before one that is mapped privately.
                self.files.insert(0, file);
                number
            }
            None => self.number_of(identity, size, false),
        }
    }

    /// Whether anything is mapped shared.
    pub fn any_shared(&self) -> bool {
        self.regions.iter().any(|region| region.shared)
    }

    /// The file of that number.
    pub fn file(&mut self, number: u64) -> Option<&mut File> {
        self.files.iter_mut().find(|file| file.number == number)
    }

    /// Replay: `file` has been met for the first time.
    pub fn enter(&mut self, file: File) {
        self.files.push(file);
    }

    /// A region was mapped, where there is none.
    pub fn add(&mut self, region: Region) {
        if !region.range.is_empty() {
            self.regions.push(region);
            ANY.store(true, Ordering::Relaxed);
        }
    }

    /// The smallest range of offsets that has all that is mapped of a file.
    pub fn visible(&self, number: u64) -> Range<u64> {
        let of_file = self.regions.iter().filter(|region| region.file == number);
        of_file.fold(0..0, |hull, region| {
            let end = region.offset_of(region.range.end);
            match hull.is_empty() {
                true => region.offset..end,
                false => hull.start.min(region.offset)..hull.end.max(end),
            }
        })
    }

    /// Takes what lies in `range` out of the table. Files without regions stay until [`Mapped::release_unused`].
    pub fn take(&mut self, range: &Range<u64>) -> Vec<Region> {
        let mut taken = Vec::new();
        let mut kept = Vec::with_capacity(self.regions.len() + 1);
        for region in self.regions.drain(..) {
            let Some(part) = region.part(range) else {
                kept.push(region);
                continue;
            };
            kept.extend(region.part(&(0..range.start)));
            kept.extend(region.part(&(range.end..u64::MAX)));
            taken.push(part);
        }
        self.regions = kept;
        taken
    }

    /// What was in `range` is not mapped there any more.
    pub fn forget(&mut self, range: &Range<u64>) {
        if any() {
            self.take(range);
            self.release_unused();
        }
    }

    /// Drops files that no region shows.
    pub fn release_unused(&mut self) {
        let Mapped { files, regions, .. } = self;
        files.retain(|file| {
            let used = regions.iter().any(|region| region.file == file.number);
            if !used {
                file.release();
            }
            used
        });
        ANY.store(!regions.is_empty(), Ordering::Relaxed);
    }
}

/// The number of the next file, in all processes.
fn next_number() -> u64 {
    u64::from(process::control().next_mapped.fetch_add(1, Ordering::Relaxed)) + 1
}

impl File {
    /// This process does not have it mapped any more.
    fn release(&self) {
        if self.descriptor >= 0 {
            kernel::close(self.descriptor);
        }
        if self.named {
            names::remove_user(self.number);
        }
    }
}

/// In a child of fork: it has mapped what its parent has. And where an exec has failed, after [`leave`].
pub fn inherit() {
    for file in get().files().iter().filter(|file| file.named) {
        names::keep(file.identity, file.number);
    }
}

/// The process ends, or is about to execute another program.
pub fn leave() {
    for file in get().files().iter().filter(|file| file.named) {
        names::remove_user(file.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(number: u64, identity: Identity) -> File {
        File { number, identity, size: 100, by_reference: false, descriptor: -1, named: false }
    }

    fn region(range: Range<u64>, file: u64, offset: u64) -> Region {
        Region { range, file, offset, shared: true }
    }

    #[test]
    fn a_hole_leaves_both_ends() {
        let mut mapped = Mapped::new();
        mapped.enter(file(3, Identity::Segment(7)));
        mapped.add(region(1000..1100, 3, 500));
        let taken = mapped.take(&(1020..1030));
        assert_eq!(taken.len(), 1);
        assert_eq!((taken[0].range.clone(), taken[0].offset), (1020..1030, 520));
        let left: Vec<_> = mapped.regions().iter().map(|r| (r.range.clone(), r.offset)).collect();
        assert_eq!(left, [(1000..1020, 500), (1030..1100, 530)]);
        assert_eq!(mapped.visible(3), 500..600);
    }

    #[test]
    fn a_file_lives_as_long_as_its_last_region() {
        let mut mapped = Mapped::new();
        let identity = Identity::Inode { device: 1, inode: 2 };
        mapped.enter(file(5, identity));
        mapped.add(region(0..10, 5, 0));
        mapped.add(region(20..30, 5, 0));
        mapped.forget(&(0..15));
        assert_eq!(mapped.find(identity).map(|file| file.number), Some(5));
        mapped.forget(&(20..30));
        assert_eq!(mapped.find(identity), None);
    }

    #[test]
    fn anonymous_memory_is_never_the_same() {
        let mut mapped = Mapped::new();
        mapped.enter(file(1, Identity::Anonymous));
        assert_eq!(mapped.find(Identity::Anonymous), None);
    }
}
