//! Memory made up for a test.

use crate::syscalls::table::INDEX;
use crate::syscalls::{Before, Input, Memory, Region, Syscall, inputs, outputs};
use std::collections::BTreeMap;

/// Pieces of memory by address; everything else cannot be read.
#[derive(Default)]
pub struct Mock {
    pieces: BTreeMap<u64, Vec<u8>>,
}

impl Mock {
    /// With `bytes` at `address`; pieces must not touch each other.
    pub fn with(mut self, address: u64, bytes: &[u8]) -> Mock {
        self.pieces.insert(address, bytes.to_vec());
        self
    }

    /// With 64-bit words at `address`.
    pub fn words(self, address: u64, words: &[u64]) -> Mock {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        self.with(address, &bytes)
    }
}

impl Memory for Mock {
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        let Some((start, bytes)) = self.pieces.range(..=address).next_back() else { return false };
        let offset = (address - start) as usize;
        match bytes.get(offset..offset.saturating_add(target.len())) {
            Some(found) => {
                target.copy_from_slice(found);
                true
            }
            None => false,
        }
    }
}

/// The row with this name.
pub fn row(name: &str) -> &'static Syscall {
    INDEX.iter().find(|row| row.name == name).expect(name)
}

/// What `outputs` visits, as `(argument, address, length)`.
pub fn written(name: &str, a: [u64; 6], before: Before, result: i64, m: &Mock) -> Vec<(u8, u64, u64)> {
    let mut found = Vec::new();
    outputs(row(name), &a, &before, result, m, &mut |region: Region| {
        found.push((region.argument, region.address, region.length));
    });
    found
}

/// What `inputs` visits, as `(is text, argument, address, length)`.
pub fn consumed(name: &str, a: [u64; 6], result: i64, m: &Mock) -> Vec<(bool, u8, u64, u64)> {
    let mut found = Vec::new();
    inputs(row(name), &a, result, m, &mut |input: Input| {
        let (text, region) = match input {
            Input::Text(region) => (true, region),
            Input::Data(region) => (false, region),
        };
        found.push((text, region.argument, region.address, region.length));
    });
    found
}
