//! Hashing a file's content.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::fd::AsRawFd;
use std::os::unix::fs::FileExt;

use xxhash_rust::xxh3::Xxh3;

/// How many bytes are read at once.
const PIECE: usize = 256 << 10;
/// What a hole reads as.
static ZEROS: [u8; PIECE] = [0; PIECE];

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
    let size = file.metadata()?.len();
    let mut data = None;
    loop {
        // A hole is zeros, however long; reading it would have the kernel fill as many pages with them.
        if offset < size && !data.as_ref().is_some_and(|range: &Range<u64>| range.contains(&offset)) {
            let next = next_data(file, offset).unwrap_or(offset..size);
            while offset < next.start {
                let length = (next.start - offset).min(ZEROS.len() as u64);
                hasher.update(&ZEROS[..length as usize]);
                take(&ZEROS[..length as usize])?;
                offset += length;
            }
            data = Some(next);
        }
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

/// Where there is data at `offset` or after it, up to the next hole; the file's end if there is none. `None` if the
/// file system does not say.
///
/// Seeking needs an offset of its own, so the file is opened once more.
fn next_data(file: &File, offset: u64) -> Option<Range<u64>> {
    let own = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    let seek = |from: u64, whence| {
        // SAFETY: a plain system call on a descriptor of ours.
        u64::try_from(unsafe { libc::lseek(own.as_raw_fd(), from as libc::off_t, whence) }).ok()
    };
    match seek(offset, libc::SEEK_DATA) {
        Some(begin) => Some(begin..seek(begin, libc::SEEK_HOLE)?),
        // ENXIO: nothing but a hole up to the end.
        None if io::Error::last_os_error().raw_os_error() == Some(libc::ENXIO) => {
            let end = own.metadata().ok()?.len();
            Some(end..end)
        }
        None => None,
    }
}

/// XXH3-128 of `file`'s content in hexadecimal.
pub(super) fn content_hash(file: &File) -> io::Result<String> {
    read_whole(file, |_| Ok(())).map(|(hash, _)| hash)
}
