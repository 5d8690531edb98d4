//! /proc/self/maps, read without libc.

/// One line.
#[derive(Clone, Copy, Debug)]
pub struct Mapping<'a> {
    /// First address.
    pub begin: u64,
    /// First address after it.
    pub end: u64,
    /// `r`.
    pub readable: bool,
    /// `w`.
    pub writable: bool,
    /// `x`.
    pub executable: bool,
    /// `s`.
    pub shared: bool,
    /// Offset in the file.
    pub offset: u64,
    /// Device and inode, as they are written there.
    pub file: [&'a [u8]; 2],
    /// Path or `[name]`, empty if anonymous.
    pub name: &'a [u8],
}

/// Whether a file of this path is libc or the loader.
pub fn is_of_libc(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    name.starts_with(b"libc.so") || name.starts_with(b"ld-linux")
}

/// The mappings in the text of a maps file; lines that are not understood are left out.
pub fn parse(text: &[u8]) -> impl Iterator<Item = Mapping<'_>> {
    text.split(|byte| *byte == b'\n').filter_map(line)
}

fn line(line: &[u8]) -> Option<Mapping<'_>> {
    let mut fields = line.splitn(6, |byte| *byte == b' ');
    let range = fields.next()?;
    let dash = range.iter().position(|byte| *byte == b'-')?;
    let rights = fields.next()?;
    let offset = hexadecimal(fields.next()?)?;
    let file = [fields.next()?, fields.next()?];
    let name = fields.next().unwrap_or(&[]).trim_ascii();
    let has = |index: usize, letter: u8| rights.get(index) == Some(&letter);
    Some(Mapping {
        begin: hexadecimal(&range[..dash])?,
        end: hexadecimal(&range[dash + 1..])?,
        readable: has(0, b'r'),
        writable: has(1, b'w'),
        executable: has(2, b'x'),
        shared: has(3, b's'),
        offset,
        file,
        name,
    })
}

/// A number in base 16, `None` if there is anything else or nothing.
pub fn hexadecimal(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0u64, |value, digit| {
        let digit = (*digit as char).to_digit(16)?;
        value.checked_mul(16)?.checked_add(digit as u64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libc_and_the_loader_are_known_by_their_names() {
        assert!(is_of_libc(b"/usr/lib/x86_64-linux-gnu/libc.so.6"));
        assert!(is_of_libc(b"/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2"));
        assert!(!is_of_libc(b"/usr/lib/x86_64-linux-gnu/libcrypto.so.3"));
    }
}
