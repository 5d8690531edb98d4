//! From records to columns and back.
//!
//! A column is the same unit (a byte, or a word of 8) of all records in a row. One whose units are all equal, as most
//! are, is stored as one unit, which saves compression and decompression the time that it would take to find that out. In
//! front of the columns of a group is a mask, a bit for each column, lowest first: 1 for those that are stored whole.
//!
//! Eight bytes of each of eight records are eight words, whose bytes are exchanged by halves: 24 operations for 64
//! bytes, where gathering single bytes takes 64 loads from 64 places.

use super::Unit;

const WORD: usize = size_of::<u64>();

/// Bytes of the mask of records of `size` bytes.
fn mask_length(size: usize, unit: Unit) -> usize {
    (size / unit.size()).div_ceil(8)
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
}

/// Which bits of the word at `at` differ between records of `size` bytes.
fn variation(records: &[u8], size: usize, at: usize) -> u64 {
    let first = word(records, at);
    records.chunks_exact(size).fold(0, |differing, record| differing | (word(record, at) ^ first))
}

/// Appends the columns of `records`, of `size` bytes each (a multiple of 8; there is at least one).
pub(super) fn put(records: &[u8], size: usize, unit: Unit, target: &mut Vec<u8>) {
    let mask = target.len();
    target.resize(mask + mask_length(size, unit), 0);
    for row in (0..size).step_by(WORD) {
        let differing = variation(records, size, row);
        match unit {
            Unit::Word if differing == 0 => target.extend_from_slice(&records[row..row + WORD]),
            Unit::Word => {
                let column = row / WORD;
                target[mask + column / 8] |= 1 << (column % 8);
                for record in records.chunks_exact(size) {
                    target.extend_from_slice(&record[row..row + WORD]);
                }
            }
            Unit::Byte => {
                let varies: [bool; WORD] = std::array::from_fn(|i| differing.to_le_bytes()[i] != 0);
                target[mask + row / WORD] = (0..WORD).map(|i| u8::from(varies[i]) << i).sum();
                put_bytes(records, size, row, varies, target);
            }
        }
    }
}

/// Appends the eight columns of bytes from `row` on.
fn put_bytes(records: &[u8], size: usize, row: usize, varies: [bool; WORD], target: &mut Vec<u8>) {
    let count = records.len() / size;
    let mut places = [0; WORD];
    let mut end = target.len();
    for (place, varies) in places.iter_mut().zip(varies) {
        *place = end;
        end += if varies { count } else { 1 };
    }
    target.resize(end, 0);
    let whole = if varies.contains(&true) { count / WORD * WORD } else { 0 };
    for record in (0..whole).step_by(WORD) {
        let words = exchange(std::array::from_fn(|i| word(records, (record + i) * size + row)));
        for ((place, word), _) in places.iter().zip(words).zip(varies).filter(|(_, varies)| *varies) {
            target[place + record..place + record + WORD].copy_from_slice(&word.to_le_bytes());
        }
    }
    for (i, (place, varies)) in places.into_iter().zip(varies).enumerate() {
        let rest = if varies { whole..count } else { 0..1 };
        for record in rest {
            target[place + record] = records[record * size + row + i];
        }
    }
}

/// Removes the columns of `count` records of `size` bytes each (a multiple of 8) from the front of `columns`; `None` if
/// they are not there.
pub(super) fn take(columns: &mut &[u8], count: usize, size: usize, unit: Unit) -> Option<Vec<u8>> {
    let mask = columns.split_off(..mask_length(size, unit))?;
    let mut records = vec![0; count.checked_mul(size)?];
    for row in (0..size).step_by(WORD) {
        match unit {
            Unit::Word => {
                let column = row / WORD;
                let varies = mask[column / 8] >> (column % 8) & 1 == 1;
                let words = columns.split_off(..if varies { count.checked_mul(WORD)? } else { WORD })?;
                let words = words.as_chunks::<WORD>().0.iter().cycle();
                for (record, word) in records.chunks_exact_mut(size).zip(words) {
                    record[row..row + WORD].copy_from_slice(word);
                }
            }
            Unit::Byte => take_bytes(columns, count, mask[row / WORD], &mut records, size, row)?,
        }
    }
    Some(records)
}

/// Puts eight columns of bytes where they belong in `records`.
fn take_bytes(
    columns: &mut &[u8],
    count: usize,
    mask: u8,
    records: &mut [u8],
    size: usize,
    row: usize,
) -> Option<()> {
    let mut parts: [&[u8]; WORD] = [&[]; WORD];
    for (i, part) in parts.iter_mut().enumerate() {
        *part = columns.split_off(..if mask >> i & 1 == 1 { count } else { 1 })?;
    }
    // The words of columns that are all the same stay what they are.
    let mut words = parts.map(|part| u64::from_le_bytes([part.first().copied().unwrap_or(0); WORD]));
    let varying = || (0..WORD).filter(|i| mask >> i & 1 == 1);
    for first in (0..count).step_by(WORD) {
        let here = (count - first).min(WORD);
        if here == WORD {
            varying().for_each(|i| words[i] = word(parts[i], first));
        } else {
            for i in varying() {
                let mut bytes = [0; WORD];
                bytes[..here].copy_from_slice(&parts[i][first..]);
                words[i] = u64::from_le_bytes(bytes);
            }
        }
        for (i, word) in exchange(words).into_iter().take(here).enumerate() {
            let at = (first + i) * size + row;
            records[at..at + WORD].copy_from_slice(&word.to_le_bytes());
        }
    }
    Some(())
}

/// The words whose byte `i` of word `j` is byte `j` of word `i`.
fn exchange(mut words: [u64; 8]) -> [u64; 8] {
    for (distance, mask) in
        [(4, 0x0000_0000_ffff_ffff), (2, 0x0000_ffff_0000_ffff), (1, 0x00ff_00ff_00ff_00ff_u64)]
    {
        for low in (0..8).filter(|index| index & distance == 0) {
            let high = low + distance;
            let shift = 8 * distance;
            let exchanged = ((words[low] >> shift) ^ words[high]) & mask;
            words[high] ^= exchanged;
            words[low] ^= exchanged << shift;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_finds_its_record() {
        for unit in [Unit::Byte, Unit::Word] {
            for (count, size) in [(1, 8), (7, 8), (8, 8), (9, 24), (64, 16), (100, 16), (17, 56), (3, 512)] {
                for same in [0, 1, 2, 3, 8] {
                    // With `same`, one byte in so many is the same in all records.
                    let byte = |at: usize| match (at % size).checked_rem(same) {
                        Some(0) => 7,
                        _ => (at * 7 + at / 251) as u8,
                    };
                    let records: Vec<u8> = (0..count * size).map(byte).collect();
                    let mut columns = Vec::new();
                    put(&records, size, unit, &mut columns);
                    let mut rest = &columns[..];
                    assert_eq!(take(&mut rest, count, size, unit), Some(records));
                    assert!(rest.is_empty());
                    assert_eq!(take(&mut &columns[..columns.len() - 1], count, size, unit), None);
                }
            }
        }
    }
}
