//! Where stubs are placed, with a kernel that only keeps account.

use std::cell::RefCell;
use std::ops::Range;

use kmod_shim::patch::Refusal;
use kmod_shim::patch::kernel::Kernel;
use kmod_shim::patch::near_memory::{ARENA_LENGTH, NearMemory, Region};

/// Address space of which some is taken.
struct Space {
    taken: RefCell<Vec<Range<u64>>>,
    /// What the kernel answers if not that the place is taken.
    answer: isize,
}

impl Space {
    fn without(taken: Range<u64>) -> Space {
        Space { taken: RefCell::new(vec![taken]), answer: 0 }
    }
}

impl Kernel for Space {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        assert_eq!(protection, libc::PROT_READ | libc::PROT_EXEC);
        assert_eq!(flags, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE);
        assert!(address.is_multiple_of(ARENA_LENGTH) && length == ARENA_LENGTH);
        let wanted = address..address + length;
        let mut taken = self.taken.borrow_mut();
        if taken.iter().any(|range| range.start < wanted.end && wanted.start < range.end) {
            return -libc::EEXIST as isize;
        }
        taken.push(wanted);
        if self.answer == 0 { address as isize } else { self.answer }
    }

    unsafe fn protect(&self, _: u64, _: u64, _: i32) -> isize {
        unreachable!("nothing is written in these tests")
    }
}

const NOTHING: Range<u64> = 0..0;
const LIBRARY: Range<u64> = 0x7fff_f7d0_0000..0x7fff_f7f0_0000;
const PROGRAM: Range<u64> = 0x5555_5555_4000..0x5555_5556_0000;
const FIXED_PROGRAM: Range<u64> = 0x40_0000..0x48_0000;

#[test]
fn each_kind_of_object_gets_memory_in_its_reach_and_out_of_the_way() {
    type Row = (&'static str, Range<u64>, Range<u64>, u64);
    let rows: [Row; 6] = [
        ("library", NOTHING, LIBRARY, 0x7fff_f800_0000),
        ("library, place taken", 0x7fff_f800_1000..0x7fff_f801_1000, LIBRARY, 0x7fff_f802_0000),
        ("library, all above taken", 0x7fff_f7f0_0000..0x7fff_fff0_0000, LIBRARY, 0x7fff_f600_0000),
        ("program", NOTHING, PROGRAM, 0x5555_5400_0000),
        ("program, place taken", 0x5555_4000_0000..0x5555_5400_0001, PROGRAM, 0x5555_3f00_0000),
        ("program at a fixed address", NOTHING, FIXED_PROGRAM, 0x3f_0000),
    ];
    for (name, taken, mapped, expected) in rows {
        let offered = NearMemory::new().offer(&Space::without(taken), Region::Common, &mapped, 160);
        assert_eq!(offered, Ok(expected), "{name}");
    }
}

#[test]
fn what_lies_aside_is_where_nothing_else_comes() {
    for mapped in [LIBRARY, PROGRAM, FIXED_PROGRAM] {
        let space = Space::without(NOTHING);
        let mut memory = NearMemory::new();
        let first = memory.offer(&space, Region::Aside, &mapped, 160).expect("memory");
        memory.take(first, 160);
        let others: Vec<_> = (0..20)
            .map(|_| {
                let address = memory.offer(&space, Region::Common, &mapped, 60 << 10).expect("memory");
                memory.take(address, 60 << 10);
                address
            })
            .collect();
        let arena = memory.mapping_of(first).expect("a mapping");
        assert!(others.iter().all(|other| !arena.contains(other)), "{arena:x?}");
    }
}

#[test]
fn what_was_taken_is_not_offered_again() {
    let space = Space::without(NOTHING);
    let mut memory = NearMemory::new();
    let mut previous_end = 0;
    for count in 0..2000 {
        let address = memory.offer(&space, Region::Common, &LIBRARY, 160).expect("memory");
        assert_eq!(
            memory.offer(&space, Region::Common, &LIBRARY, 160),
            Ok(address),
            "offered until it is taken"
        );
        assert!(address >= previous_end && address.is_multiple_of(16), "stub {count} at {address:#x}");
        assert!(memory.mapping_of(address).is_some_and(|mapping| address + 160 <= mapping.end));
        memory.take(address, 41 + count % 100);
        previous_end = address + 41 + count % 100;
    }
    let mappings: Vec<_> = memory.mappings().collect();
    assert!(mappings.len() > 1, "{mappings:x?}");
    assert_eq!(
        memory.offer(&space, Region::Common, &PROGRAM, 160),
        Ok(0x5555_5400_0000),
        "the library's is out of its reach"
    );
}

#[test]
fn nowhere_in_reach_is_an_error() {
    let everything = Space::without(0..u64::MAX);
    let refused = NearMemory::new().offer(&everything, Region::Common, &PROGRAM, 160);
    assert_eq!(refused, Err(Refusal::NoMemoryNear(libc::EEXIST)));

    let exhausted = Space { answer: -libc::ENOMEM as isize, ..Space::without(NOTHING) };
    let refused = NearMemory::new().offer(&exhausted, Region::Common, &PROGRAM, 160);
    assert_eq!(refused, Err(Refusal::NoMemoryNear(libc::ENOMEM)));
    assert_eq!(exhausted.taken.borrow().len(), 2, "no second attempt when memory is what is missing");

    let enormous = 0x1_0000_0000..0x2_0000_0000;
    let refused = NearMemory::new().offer(&Space::without(NOTHING), Region::Common, &enormous, 160);
    assert_eq!(refused, Err(Refusal::NoMemoryNear(libc::ENOMEM)), "its far end is out of reach");
}
