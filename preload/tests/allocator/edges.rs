//! Nothing, too much, what is not ours, and what programs do wrong.

use crate::allocator::{Cache, Corruption, Failure, Heap, Section, System};
use crate::host::{Host, Place};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

const GIB: usize = 1 << 30;

/// What the heap says when it does not go on.
fn complaint(action: impl FnOnce()) -> String {
    *catch_unwind(AssertUnwindSafe(action)).unwrap_err().downcast::<String>().unwrap()
}

/// Frees a block of the test's.
fn free<const PLACE: usize>(place: &Place<PLACE>, cache: &mut Cache, block: *mut u8) {
    // SAFETY: tests that do wrong expect the heap to notice; others free what they have allocated.
    unsafe { place.0.free(cache, block) }.unwrap();
}

#[test]
fn nothing_is_a_block_too() {
    let place = Host::<4>::heap(None);
    let mut cache = place.cache();
    let [first, second] = [(); 2].map(|()| place.0.allocate(&mut cache, 0).unwrap());
    assert_ne!(first, second);
    let zeroed = place.0.allocate_zeroed(&mut cache, 0, 100).unwrap();
    assert!(!zeroed.is_null() && zeroed != first && zeroed != second);
    // SAFETY: null is no block, and the others are the test's.
    unsafe {
        let grown = place.0.resize(&mut cache, null_mut(), 10).unwrap();
        assert_eq!(place.0.resize(&mut cache, grown, 16), Ok(grown));
        assert_eq!(place.0.resize(&mut cache, grown, 0), Ok(null_mut()));
        assert_eq!(place.0.free(&mut cache, null_mut()), Ok(()));
    }
}

#[test]
fn too_much_is_refused_and_changes_nothing() {
    let place = Host::<5>::heap(None);
    let heap = &place.0;
    let mut cache = place.cache();
    let block = heap.allocate(&mut cache, 100_000).unwrap();
    let huge = heap.allocate(&mut cache, 10 << 20).unwrap();
    let too_much = [isize::MAX as usize + 1, usize::MAX, usize::MAX - 4095, isize::MAX as usize, 1 << 45];
    for size in too_much {
        assert_eq!(heap.allocate(&mut cache, size), Err(Failure::NoMemory));
        assert_eq!(heap.allocate_zeroed(&mut cache, 1, size), Err(Failure::NoMemory));
        assert_eq!(heap.allocate_aligned(&mut cache, 4096, size), Err(Failure::NoMemory));
        assert_eq!(heap.allocate_pages(&mut cache, size), Err(Failure::NoMemory));
        for block in [block, huge, null_mut()] {
            // SAFETY: the blocks are the test's.
            assert_eq!(unsafe { heap.resize(&mut cache, block, size) }, Err(Failure::NoMemory));
        }
    }
    assert_eq!(heap.allocate_zeroed(&mut cache, usize::MAX / 2, 3), Err(Failure::NoMemory));
    // SAFETY: the block is the test's.
    let array = unsafe { heap.resize_array(&mut cache, block, usize::MAX / 2, 3) };
    assert_eq!(array, Err(Failure::NoMemory));
    for (alignment, size) in [(1 << 62, 1), (1 << 63, 1), (1 << 40, 10 << 40)] {
        assert_eq!(heap.allocate_aligned(&mut cache, alignment, size), Err(Failure::NoMemory));
    }
    assert_eq!(heap.allocate_aligned(&mut cache, (1 << 63) + 1, 1), Err(Failure::Invalid));
    for alignment in [0, 4, 24, usize::MAX] {
        assert_eq!(heap.allocate_posix(&mut cache, alignment, 1), Err(Failure::Invalid));
    }
    // glibc's memalign takes any alignment, and its next power of two.
    let odd = heap.allocate_aligned(&mut cache, 100, 1).unwrap();
    assert!((odd as usize).is_multiple_of(128));
    for block in [block, huge, odd] {
        free(&place, &mut cache, block);
    }
}

#[test]
fn without_memory_there_is_an_error_and_afterwards_blocks_again() {
    let place = Host::<6>::heap(None);
    let (heap, host) = (&place.0, place.0.system());
    let mut cache = place.cache();
    host.available.store(4 << 20, Ordering::Relaxed);
    for size in [16, 1000, 20_000, 50_000, 200_000, 1 << 20] {
        let mut blocks = Vec::new();
        let failure = loop {
            match heap.allocate(&mut cache, size) {
                Ok(block) => blocks.push(block),
                Err(failure) => break failure,
            }
        };
        assert_eq!(failure, Failure::NoMemory);
        let first = blocks.first().copied().unwrap_or(null_mut());
        if !first.is_null() {
            // SAFETY: the block is the test's.
            unsafe { first.write(7) };
            // SAFETY: as above.
            assert_eq!(unsafe { heap.resize(&mut cache, first, 8 << 20) }, Err(Failure::NoMemory));
            // SAFETY: as above: it is still there.
            assert_eq!(unsafe { first.read() }, 7);
        }
        blocks.into_iter().for_each(|block| free(&place, &mut cache, block));
        heap.trim(&mut cache, 0);
    }
    host.available.store(64 << 20, Ordering::Relaxed);
    let block = heap.allocate(&mut cache, 32 << 20).unwrap();
    free(&place, &mut cache, block);
}

#[test]
fn huge_blocks_are_mapped_as_long_as_they_live() {
    let place = Host::<7>::heap(None);
    let (heap, host) = (&place.0, place.0.system());
    let mut cache = place.cache();
    let block = heap.allocate(&mut cache, 6 * GIB).unwrap();
    for end in [0, 3 * GIB, 6 * GIB - 1] {
        // SAFETY: the block has that many bytes.
        unsafe { block.add(end).write(9) };
    }
    let statistics = heap.statistics();
    assert_eq!((statistics.hblks, statistics.hblkhd), (1, 6 * GIB));
    // It grows where it is, and moves with its pages when something is in the way.
    let tables = host.mapped.load(Ordering::Relaxed) - 6 * GIB;
    // SAFETY: the block is the test's.
    let grown = unsafe { heap.resize(&mut cache, block, 7 * GIB) }.unwrap();
    assert_eq!(grown, block);
    let neighbour = heap.allocate(&mut cache, 20 << 20).unwrap();
    // SAFETY: as above.
    let moved = unsafe { heap.resize(&mut cache, grown, 8 * GIB) }.unwrap();
    assert_ne!(moved, grown);
    for end in [0, 3 * GIB, 6 * GIB - 1] {
        // SAFETY: the block has that many bytes.
        assert_eq!(unsafe { moved.add(end).read() }, 9);
    }
    assert!(place.resident() < 1 << 20);
    // SAFETY: as above.
    let shrunk = unsafe { heap.resize(&mut cache, moved, GIB) }.unwrap();
    assert_eq!(shrunk, moved);
    assert_eq!(heap.usable_size(shrunk), Ok(GIB));
    assert_eq!(heap.statistics().hblkhd, GIB + (20 << 20));
    let zeroed = heap.allocate_zeroed(&mut cache, 7, GIB).unwrap();
    assert!(place.resident() < 1 << 20);
    [shrunk, neighbour, zeroed].into_iter().for_each(|block| free(&place, &mut cache, block));
    let left = host.mapped.load(Ordering::Relaxed);
    assert!(left <= tables + (16 << 20), "{left} of {tables}");
    // One of 20 MiB was freed: shorter ones are cut from the heap from now on, and zeroed by hand when they are used again.
    for _ in 0..2 {
        let block = heap.allocate_zeroed(&mut cache, 1, 1 << 20).unwrap();
        assert_eq!(heap.statistics().hblks, 0);
        for at in (0..1 << 20).step_by(4096) {
            // SAFETY: the block has that many bytes.
            assert_eq!(unsafe { block.add(at).replace(1) }, 0);
        }
        free(&place, &mut cache, block);
    }
    assert!(place.resident() >= 1 << 20);
}

#[test]
fn trim_gives_memory_back() {
    let place = Host::<8>::heap(None);
    let heap = &place.0;
    let mut cache = place.cache();
    let blocks: Vec<_> = (0..100_000)
        .map(|index| {
            let block = heap.allocate(&mut cache, 100 + index % 2000).unwrap();
            // SAFETY: the block is that long.
            unsafe { block.write_bytes(1, 100 + index % 2000) };
            block
        })
        .collect();
    let full = place.resident();
    assert!(full > 100 << 20, "{full}");
    blocks.into_iter().for_each(|block| free(&place, &mut cache, block));
    let kept = place.resident();
    assert!(kept < full / 4, "{kept} of {full}");
    assert!(heap.trim(&mut cache, 1 << 20));
    let padded = place.resident();
    assert!(padded <= kept && padded <= 1 << 20, "{padded}");
    heap.trim(&mut cache, 0);
    assert_eq!(place.resident(), 0);
    assert!(!heap.trim(&mut cache, 0));
}

#[test]
fn a_thread_gives_back_what_it_has_of_sizes_that_it_uses_no_more() {
    let place = Host::<14>::heap(None);
    let heap = &place.0;
    let mut cache = place.cache();
    let mut at_hand = |count: usize, size: usize, kept: &mut Vec<*mut u8>| {
        let blocks: Vec<_> = (0..count).map(|_| heap.allocate(&mut cache, size).unwrap()).collect();
        if size > 64 {
            blocks.into_iter().for_each(|block| free(&place, &mut cache, block));
        } else {
            kept.extend(blocks);
        }
        heap.statistics().uordblks - kept.len() * 64
    };
    let mut kept = Vec::new();
    let before = at_hand(8, 5120, &mut kept);
    assert!(before >= 8 * 5120, "{before}");
    // Two epochs of exchanges of another size: in the first one there were exchanges of the large ones.
    let after = at_hand(2 * 256 * 64, 64, &mut kept);
    assert!(after <= 64 * 64, "{after}");
}

#[test]
fn locked_memory_is_kept_and_zeroed_by_hand() {
    let place = Host::<13>::heap(None);
    let (heap, host) = (&place.0, place.0.system());
    let mut cache = place.cache();
    host.is_locked.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let blocks: Vec<_> =
            (0..1000).map(|_| heap.allocate_zeroed(&mut cache, 1, 100_000).unwrap()).collect();
        for block in blocks {
            for at in (0..100_000).step_by(4096) {
                // SAFETY: the block has that many bytes.
                assert_eq!(unsafe { block.add(at).replace(1) }, 0);
            }
            free(&place, &mut cache, block);
        }
        assert!(!heap.trim(&mut cache, 0));
    }
    assert!(place.resident() >= 100_000_000);
    host.is_locked.store(false, Ordering::Relaxed);
    assert!(heap.trim(&mut cache, 0));
    assert_eq!(place.resident(), 0);
}

#[test]
fn what_is_not_ours_is_told() {
    let place = Host::<9>::heap(None);
    let heap = &place.0;
    let mut cache = place.cache();
    let mut theirs = Box::new(5u64);
    let theirs = (&raw mut *theirs).cast::<u8>();
    let end = Heap::<Host<9>>::range().end as *mut u8;
    for block in [theirs, end, 16 as *mut u8] {
        assert_eq!(heap.usable_size(block), Err(Failure::Foreign));
        // SAFETY: the heap does not touch what is not its own.
        unsafe {
            assert_eq!(heap.free(&mut cache, block), Err(Failure::Foreign));
            assert_eq!(heap.resize(&mut cache, block, 100), Err(Failure::Foreign));
            assert_eq!(heap.resize(&mut cache, block, 0), Err(Failure::Foreign));
        }
    }
    // None of that asked anybody.
    assert!(heap.system().visits().iter().all(|visits| visits.is_empty()));
    assert_eq!(Section::all().count(), Section::COUNT);
}

#[test]
fn wrong_frees_are_noticed() {
    let message = |wrong: fn(&Place<10>, &mut Cache)| {
        let place = Host::<10>::heap(None);
        let mut cache = place.cache();
        complaint(|| wrong(&place, &mut cache))
    };
    let inside_of = |size: usize, offset: usize| {
        let place = Host::<10>::heap(None);
        let mut cache = place.cache();
        let block = place.0.allocate(&mut cache, size).unwrap();
        complaint(|| free(&place, &mut cache, block.wrapping_add(offset)))
    };
    for (size, offset) in [(100, 8), (100, 16), (1000, 512), (50_000, 16), (50_000, 8192), (1 << 20, 65_536)]
    {
        assert_eq!(inside_of(size, offset), Corruption::Free.message(), "{size} + {offset}");
    }
    for size in [16, 1000] {
        let twice = |place: &Place<10>, cache: &mut Cache| {
            let block = place.0.allocate(cache, size).unwrap();
            free(place, cache, block);
            free(place, cache, block);
        };
        let place = Host::<10>::heap(None);
        let mut cache = place.cache();
        assert_eq!(complaint(|| twice(&place, &mut cache)), Corruption::FreedTwice.message());
    }
    for size in [50_000, 1 << 20] {
        let place = Host::<10>::heap(None);
        let mut cache = place.cache();
        let block = place.0.allocate(&mut cache, size).unwrap();
        free(&place, &mut cache, block);
        assert_eq!(complaint(|| free(&place, &mut cache, block)), Corruption::Free.message());
    }
    let nowhere =
        |place: &Place<10>, cache: &mut Cache| free(place, cache, (Host::<10>::BASE + (1 << 39)) as *mut u8);
    assert_eq!(message(nowhere), Corruption::Free.message());
    let resized = |place: &Place<10>, cache: &mut Cache| {
        let block = place.0.allocate(cache, 100).unwrap();
        // SAFETY: wrong, and expected to be noticed.
        let _ = unsafe { place.0.resize(cache, block.add(8), 200) };
    };
    assert_eq!(message(resized), Corruption::Realloc.message());
    // A link that leads out of the class's spans is noticed when the batch is given back.
    let overwritten = |place: &Place<10>, cache: &mut Cache| {
        let blocks: Vec<_> = (0..4).map(|_| place.0.allocate(cache, 40).unwrap()).collect();
        let other = place.0.allocate(cache, 3000).unwrap();
        blocks.iter().for_each(|block| free(place, cache, *block));
        // SAFETY: wrong, and expected to be noticed.
        unsafe { blocks[3].cast::<usize>().write(other as usize) };
        place.0.give_back(cache);
    };
    assert_eq!(message(overwritten), Corruption::Link.message());
}

#[test]
fn a_second_free_by_another_thread_is_noticed_when_it_is_given_back() {
    let place = Host::<11>::heap(None);
    let (mut mine, mut other) = (place.cache(), place.cache());
    let block = place.0.allocate(&mut mine, 32 << 10).unwrap();
    free(&place, &mut mine, block);
    // The other's list has it too now, and has overwritten the link in it.
    free(&place, &mut other, block);
    let said = complaint(|| [&mut mine, &mut other].into_iter().for_each(|cache| place.0.give_back(cache)));
    assert!([Corruption::FreedTwice, Corruption::Link].map(Corruption::message).contains(&said.as_str()));
}
