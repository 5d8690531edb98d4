//! Strings in the program's memory.

use super::Memory;

/// The longest string that the kernel takes for a path (PATH_MAX).
pub const TEXT_MAX: u64 = 4096;

/// Bytes of the string at `address` before its NUL, [`TEXT_MAX`] at most; `None` if memory ends before the
/// string does.
pub fn text_length(m: &impl Memory, address: u64) -> Option<u64> {
    const PIECE: u64 = 64;
    if address == 0 {
        return None;
    }
    let mut bytes = [0; PIECE as usize];
    let mut length = 0;
    while length < TEXT_MAX {
        let at = address.checked_add(length)?;
        // Pieces end where pages may, so that a string just before unmapped memory is read whole.
        let wanted = (PIECE - at % PIECE).min(TEXT_MAX - length);
        let piece = bytes.get_mut(..wanted as usize)?;
        if !m.read(at, piece) {
            return None;
        }
        if let Some(end) = piece.iter().position(|&byte| byte == 0) {
            return Some(length + end as u64);
        }
        length += wanted;
    }
    Some(TEXT_MAX)
}
