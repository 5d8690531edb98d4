//! From columns of bytes to records.
//!
//! Eight bytes of each of eight rows are eight words, whose bytes are exchanged by halves: 24 operations for 64
//! bytes, where gathering each record's bytes takes 64 loads from 64 places.

/// Records of `size` bytes from `count` transposed ones: byte `b` of record `r` is at `b * count + r`.
pub(super) fn records(transposed: &[u8], count: usize, size: usize) -> Vec<u8> {
    let mut records = vec![0; count * size];
    let whole = (count / 8 * 8, size / 8 * 8);
    for row in (0..whole.1).step_by(8) {
        for record in (0..whole.0).step_by(8) {
            let words = std::array::from_fn(|i| word(transposed, (row + i) * count + record));
            for (i, word) in exchange(words).iter().enumerate() {
                let at = (record + i) * size + row;
                records[at..at + 8].copy_from_slice(&word.to_le_bytes());
            }
        }
    }
    for row in 0..size {
        let done = if row < whole.1 { whole.0 } else { 0 };
        for record in done..count {
            records[record * size + row] = transposed[row * count + record];
        }
    }
    records
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|i| bytes[at + i]))
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
    use super::records;

    #[test]
    fn every_byte_finds_its_record() {
        for (count, size) in [(0, 8), (1, 8), (7, 3), (8, 8), (9, 24), (64, 16), (100, 13), (17, 56)] {
            let transposed: Vec<u8> = (0..count * size).map(|at| (at * 7 + at / 251) as u8).collect();
            let records = records(&transposed, count, size);
            for record in 0..count {
                for byte in 0..size {
                    assert_eq!(records[record * size + byte], transposed[byte * count + record]);
                }
            }
        }
    }
}
