//! Hashing a file's content.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

/// How many bytes are read at once.
const PIECE: usize = 256 << 10;

/// Gives all of `file`'s bytes to `take`, in pieces, and returns their XXH3-128 in hexadecimal and their
/// number.
///
/// `file` may be a descriptor that the recorded program handed over, and shares its offset with it: so the
/// bytes are read without using the offset.
pub(super) fn read_whole(
    file: &File,
    mut take: impl FnMut(&[u8]) -> io::Result<()>,
) -> io::Result<(String, u64)> {
    let mut hasher = Xxh3::new();
    let mut piece = vec![0; PIECE];
    let mut offset = 0;
    loop {
        match file.read_at(&mut piece, offset) {
            Ok(0) => return Ok((format!("{:032x}", hasher.digest128()), offset)),
            Ok(length) => {
                hasher.update(&piece[..length]);
                take(&piece[..length])?;
                offset += length as u64;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// XXH3-128 of `file`'s content in hexadecimal.
pub(super) fn content_hash(file: &File) -> io::Result<String> {
    read_whole(file, |_| Ok(())).map(|(hash, _)| hash)
}
