//! Recognising the recording's stdout and stderr where the program gets at them by another way than a copy of
//! the descriptor: by name (`/dev/stdout`, `/proc/self/fd/1`, a terminal's name, a symbolic link to any of these, as
//! web servers in containers have for their logs), or from another process, in a message (as tmux's server does).

use crate::{kernel, process};
use core::sync::atomic::Ordering;

/// What tells one pipe, terminal, file or socket from all others; zeroes if nothing can.
type Identity = [u64; 2];

const NOTHING: Identity = [0, 0];
/// First half of a terminal's identity: its number is the second. Several inodes can be the same terminal.
const TERMINAL: u64 = u64::MAX;
/// The major number of /dev/null, /dev/zero and the like: everybody may have them open, for reasons of their own.
const MEMORY_DEVICES: u32 = 1;
/// /dev/tty: whichever terminal controls the process.
const CONTROLLING_TERMINAL: libc::dev_t = libc::makedev(5, 0);
/// ioctl that tells which terminal it is (tty_io.c).
const TIOCGDEV: u64 = 0x8004_5432;

/// Notes what the first process of a recording has as stdout and stderr.
pub fn note() {
    for (descriptor, noted) in [1, 2].into_iter().zip(&process::control().output_identity) {
        for (half, word) in of(descriptor).into_iter().zip(noted) {
            word.store(half, Ordering::Relaxed);
        }
    }
}

/// Which output `descriptor` is: 0 for stdout, 1 for stderr.
pub fn recognise(descriptor: i32) -> Option<usize> {
    let identity = of(descriptor);
    let noted = &process::control().output_identity;
    let is_noted = |at: &usize| noted[*at].each_ref().map(|half| half.load(Ordering::Relaxed)) == identity;
    (identity != NOTHING).then(|| (0..noted.len()).find(is_noted)).flatten()
}

fn of(descriptor: i32) -> Identity {
    let Ok(status) = kernel::status(descriptor) else { return NOTHING };
    match status.st_mode & libc::S_IFMT {
        libc::S_IFCHR if libc::major(status.st_rdev) == MEMORY_DEVICES => NOTHING,
        libc::S_IFCHR if status.st_rdev == CONTROLLING_TERMINAL => controlling_terminal(descriptor),
        libc::S_IFCHR => [TERMINAL, status.st_rdev],
        libc::S_IFDIR => NOTHING,
        _ => [status.st_dev, status.st_ino],
    }
}

fn controlling_terminal(descriptor: i32) -> Identity {
    let mut number = 0u32;
    // SAFETY: the call writes one unsigned int.
    let told = unsafe {
        kernel::call(libc::SYS_ioctl, [descriptor as u64, TIOCGDEV, &raw mut number as u64, 0, 0, 0])
    };
    // The kernel's new_encode_dev: the minor number's low byte, the major number, the rest of the minor number.
    let (major, minor) = (number >> 8 & 0xfff, number & 0xff | number >> 12 & 0xfff00);
    told.map_or(NOTHING, |_| [TERMINAL, libc::makedev(major, minor)])
}
