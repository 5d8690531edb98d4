//! Executing a program's kept content under its recorded name.
//!
//! The kernel puts the name that execve was given above the stack, so its length decides where the stack begins;
//! the bytes themselves can be put right afterwards. The content is therefore executed by a name of just that
//! length: relative to [`DIRECTORY`], in which a process finds its descriptors, the number of one, after as much
//! of `.//////` as it takes. The library's own execve does the same, and allocates nothing here.

use core::ffi::CStr;

/// The current directory that the names are relative to.
pub const DIRECTORY: &CStr = c"/proc/self/fd";

/// Fills `name` with a name of exactly its length for the file that is open as `descriptor`.
///
/// False if there is none: nothing can be put before a number to make it one byte longer, and none is shorter
/// than its digits. [`minimum`] says which numbers do better.
pub fn write(descriptor: u32, name: &mut [u8]) -> bool {
    let digits = count_digits(descriptor);
    let Some(filler) = name.len().checked_sub(digits) else { return false };
    if filler == 1 {
        return false;
    }
    let (before, number) = name.split_at_mut(filler);
    before.fill(b'/');
    if let Some(first) = before.first_mut() {
        *first = b'.';
    }
    let mut rest = descriptor;
    for digit in number.iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    true
}

/// The smallest descriptor with one digit more than `descriptor`.
pub fn minimum(descriptor: u32) -> u32 {
    10u32.pow(count_digits(descriptor) as u32)
}

fn count_digits(number: u32) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(descriptor: u32, length: usize) -> Option<String> {
        let mut name = vec![0; length];
        write(descriptor, &mut name).then(|| String::from_utf8(name).unwrap())
    }

    #[test]
    fn a_name_has_the_wanted_length() {
        assert_eq!(name(7, 1).as_deref(), Some("7"));
        assert_eq!(name(7, 2), None);
        assert_eq!(name(7, 3).as_deref(), Some("./7"));
        assert_eq!(name(123, 9).as_deref(), Some("./////123"));
        assert_eq!(name(123, 2), None);
        assert_eq!(name(0, 1).as_deref(), Some("0"));
    }

    #[test]
    fn a_longer_number_does_where_a_shorter_one_does_not() {
        assert_eq!([minimum(7), minimum(99)], [10, 100]);
        assert_eq!(name(minimum(7), 2).as_deref(), Some("10"));
    }
}
