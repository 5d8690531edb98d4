//! Random histories against a model that knows which bytes belong to whom.

use crate::allocator::{Cache, Failure};
use crate::host::{Host, Place};
use proptest::prelude::*;
use proptest::sample::Index;
use std::collections::BTreeMap;

/// Threads, by their caches.
const CACHES: usize = 3;
/// Of larger blocks only the ends are filled.
const FILLED: usize = 4096;

#[derive(Clone, Debug)]
enum Step {
    Allocate(usize),
    Zeroed(usize, usize),
    Aligned(u32, usize),
    Posix(u32, usize),
    Page(usize),
    Pages(usize),
    Resize(Index, usize),
    ResizeArray(Index, usize, usize),
    Free(Index),
    GiveBack,
    Trim(usize),
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![
        4 => 0usize..200,
        4 => 0usize..4000,
        3 => 0usize..40_000,
        2 => 30_000usize..300_000,
        1 => 100_000usize..5_000_000,
    ]
}

fn steps() -> impl Strategy<Value = (usize, Step)> {
    let step = prop_oneof![
        10 => sizes().prop_map(Step::Allocate),
        3 => (0usize..50, 0usize..6000).prop_map(|(count, size)| Step::Zeroed(count, size)),
        3 => (0u32..20, sizes()).prop_map(|(power, size)| Step::Aligned(power, size)),
        1 => (3u32..14, sizes()).prop_map(|(power, size)| Step::Posix(power, size)),
        1 => sizes().prop_map(Step::Page),
        1 => sizes().prop_map(Step::Pages),
        5 => (any::<Index>(), sizes()).prop_map(|(index, size)| Step::Resize(index, size)),
        1 => (any::<Index>(), 0usize..30, 0usize..300)
            .prop_map(|(index, count, size)| Step::ResizeArray(index, count, size)),
        12 => any::<Index>().prop_map(Step::Free),
        1 => Just(Step::GiveBack),
        1 => (0usize..1_000_000).prop_map(Step::Trim),
    ];
    (0..CACHES, step)
}

/// The blocks there are.
struct Model {
    place: Place<0>,
    caches: [Cache; CACHES],
    /// How long each block is, by its address.
    blocks: BTreeMap<usize, usize>,
}

fn byte(address: usize) -> u8 {
    (address >> 4) as u8 ^ (address >> 13) as u8 | 1
}

/// The bytes of a block that are filled.
fn filled(size: usize) -> impl Iterator<Item = usize> {
    (0..size.min(FILLED)).chain(size.saturating_sub(FILLED).max(FILLED)..size)
}

impl Model {
    fn new() -> Model {
        let place = Host::heap(None);
        Model { caches: [const { Cache::new() }; CACHES], place, blocks: BTreeMap::new() }
    }

    /// A new block: it is aligned, and overlaps no other one.
    fn add(&mut self, block: *mut u8, size: usize, alignment: usize) {
        let address = block as usize;
        assert_ne!(address, 0);
        assert!(address.is_multiple_of(alignment.max(16)), "{address:x} for {alignment}");
        let usable = self.place.0.usable_size(block).unwrap();
        assert!(usable >= size);
        if let Some((before, length)) = self.blocks.range(..=address).next_back() {
            assert!(before + length <= address, "{before:x} + {length} reaches {address:x}");
        }
        if let Some((after, _)) = self.blocks.range(address..).next() {
            assert!(address + usable <= *after, "{address:x} + {usable} reaches {after:x}");
        }
        // All that is usable may be used.
        for index in filled(usable) {
            // SAFETY: the block has that many bytes.
            unsafe { block.add(index).write(byte(address)) };
        }
        self.blocks.insert(address, usable);
    }

    /// Takes a block out of the model, and sees whether its contents are what they were.
    fn remove(&mut self, index: &Index) -> Option<(*mut u8, usize)> {
        if self.blocks.is_empty() {
            return None;
        }
        let (address, usable) = self.blocks.iter().nth(index.index(self.blocks.len())).unwrap();
        let (address, usable) = (*address, *usable);
        let block = address as *mut u8;
        for index in filled(usable) {
            // SAFETY: the block has that many bytes.
            assert_eq!(unsafe { block.add(index).read() }, byte(address), "{address:x}, byte {index}");
        }
        self.blocks.remove(&address);
        Some((block, usable))
    }

    fn resize(&mut self, index: &Index, size: usize, resize: impl FnOnce(&mut Model, *mut u8) -> *mut u8) {
        let Some((old, usable)) = self.remove(index) else { return };
        let new = resize(self, old);
        if size == 0 {
            assert!(new.is_null());
            return;
        }
        let shared = usable.min(size);
        for index in filled(usable).filter(|index| *index < shared) {
            // SAFETY: the block has that many bytes.
            assert_eq!(unsafe { new.add(index).read() }, byte(old as usize));
        }
        self.add(new, size, 16);
    }

    fn step(&mut self, cache: usize, step: &Step) {
        let place = &self.place.0 as *const crate::allocator::Heap<Host<0>>;
        // SAFETY: the heap lives as long as the model, and is not moved while it is borrowed here.
        let heap = unsafe { &*place };
        let mine = &mut self.caches[cache];
        match step {
            Step::Allocate(size) => {
                let block = heap.allocate(mine, *size).unwrap();
                self.add(block, *size, 16);
            }
            Step::Zeroed(count, size) => {
                let block = heap.allocate_zeroed(mine, *count, *size).unwrap();
                // SAFETY: the block has that many bytes.
                assert!((0..count * size).all(|index| unsafe { block.add(index).read() } == 0));
                self.add(block, count * size, 16);
            }
            Step::Aligned(power, size) => {
                let block = heap.allocate_aligned(mine, 1 << power, *size).unwrap();
                self.add(block, *size, 1 << power);
            }
            Step::Posix(power, size) => {
                let block = heap.allocate_posix(mine, 1 << power, *size).unwrap();
                self.add(block, *size, 1 << power);
            }
            Step::Page(size) => {
                let block = heap.allocate_page(mine, *size).unwrap();
                self.add(block, *size, 4096);
            }
            Step::Pages(size) => {
                let block = heap.allocate_pages(mine, *size).unwrap();
                self.add(block, size.next_multiple_of(4096), 4096);
            }
            Step::Resize(index, size) => self.resize(index, *size, |model, block| {
                // SAFETY: the block is one of the model's.
                unsafe { heap.resize(&mut model.caches[cache], block, *size) }.unwrap()
            }),
            Step::ResizeArray(index, count, size) => self.resize(index, count * size, |model, block| {
                // SAFETY: as above.
                unsafe { heap.resize_array(&mut model.caches[cache], block, *count, *size) }.unwrap()
            }),
            Step::Free(index) => {
                if let Some((block, _)) = self.remove(index) {
                    // SAFETY: as above.
                    unsafe { heap.free(&mut self.caches[cache], block) }.unwrap();
                }
            }
            Step::GiveBack => heap.give_back(mine),
            Step::Trim(pad) => {
                heap.trim(mine, *pad);
            }
        }
    }

    /// Frees everything: there is nothing in use then.
    fn end(mut self) {
        let everything = std::mem::take(&mut self.blocks);
        for (index, address) in everything.into_keys().enumerate() {
            // SAFETY: the block is one of the model's.
            unsafe { self.place.0.free(&mut self.caches[index % CACHES], address as *mut u8) }.unwrap();
        }
        for cache in &mut self.caches {
            self.place.0.trim(cache, 0);
        }
        let statistics = self.place.0.statistics();
        assert_eq!((statistics.hblks, statistics.hblkhd, statistics.uordblks), (0, 0, 0));
        assert_eq!(statistics.keepcost, 0);
        assert!(statistics.ordblks <= 1, "{statistics:?}");
        assert_eq!(self.place.resident(), 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_are_their_owners_alone(steps in prop::collection::vec(steps(), 1..400)) {
        let mut model = Model::new();
        for (cache, step) in &steps {
            model.step(*cache, step);
        }
        model.end();
    }
}

#[test]
fn every_size_fits() {
    let place = Host::<1>::heap(None);
    let mut cache = place.cache();
    for size in (0..70_000).chain([131_072, 131_073, 1 << 20, (1 << 20) + 1, 33 << 20]) {
        let block = place.0.allocate(&mut cache, size).unwrap();
        let usable = place.0.usable_size(block).unwrap();
        assert!(usable >= size && usable <= size + size / 8 + 8192, "{usable} for {size}");
        assert!(size > 32 << 10 || usable <= size + size / 8 + 16, "{usable} for {size}");
        // SAFETY: it was just allocated.
        assert_eq!(unsafe { place.0.free(&mut cache, block) }, Ok(()));
    }
    assert_eq!(place.0.usable_size(std::ptr::null_mut()), Ok(0));
    // SAFETY: null is no block, and may be freed.
    assert_eq!(unsafe { place.0.free(&mut cache, std::ptr::null_mut()) }, Ok(()));
    assert_eq!(place.0.usable_size((&raw mut cache).cast()), Err(Failure::Foreign));
}
