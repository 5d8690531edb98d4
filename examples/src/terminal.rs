//! A pseudo-terminal with somebody typing at it.

use crate::case::Keys;
use rustix::fs::{Mode, OFlags, open};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, Winsize, tcgetattr, tcsetattr, tcsetwinsize};
use std::fs::File;
use std::io::{Read, Result, Write};
use std::os::fd::OwnedFd;

/// Both ends of a new pseudo-terminal.
pub struct Terminal {
    /// What somebody types at and looks at.
    pub screen: File,
    /// What the program gets as its standard input, output and error.
    pub device: OwnedFd,
}

impl Terminal {
    /// Opens a terminal of 24 lines and 80 columns in raw mode: no echo of keys that are typed before the program
    /// has said whether it wants one.
    pub fn open() -> Result<Terminal> {
        let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&screen)?;
        unlockpt(&screen)?;
        let name = ptsname(&screen, Vec::new())?;
        let device = open(name.as_c_str(), OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty())?;
        let mut attributes = tcgetattr(&device)?;
        attributes.make_raw();
        tcsetattr(&device, OptionalActions::Now, &attributes)?;
        tcsetwinsize(&device, Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 })?;
        Ok(Terminal { screen: screen.into(), device })
    }
}

/// Reads the screen until every program has closed the terminal, typing `keys` as their cues appear. Returns all
/// that appeared, less the carriage returns before newlines: programs may have the kernel add them, and a replay
/// repeats what a program wrote, not what it did to the terminal.
pub fn watch(mut screen: File, keys: &[Keys]) -> Result<Vec<u8>> {
    let mut seen = Vec::new();
    let mut looked_from = 0;
    let mut keys = keys.iter().peekable();
    let mut buffer = [0; 4096];
    loop {
        while let Some(next) = keys.peek() {
            let Some(at) = find(&seen[looked_from..], next.after.as_bytes()) else { break };
            looked_from += at + next.after.len();
            screen.write_all(next.typed.as_bytes())?;
            keys.next();
        }
        match screen.read(&mut buffer) {
            // EIO is how a pseudo-terminal says that its other end has been closed.
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::IO.raw_os_error()) => break,
            Err(error) => return Err(error),
            Ok(0) => break,
            Ok(length) => seen.extend_from_slice(&buffer[..length]),
        }
    }
    Ok(without_carriage_returns(&seen))
}

fn without_carriage_returns(screen: &[u8]) -> Vec<u8> {
    let mut kept = Vec::with_capacity(screen.len());
    for &byte in screen {
        while byte == b'\n' && kept.last() == Some(&b'\r') {
            kept.pop();
        }
        kept.push(byte);
    }
    kept
}

fn find(text: &[u8], word: &[u8]) -> Option<usize> {
    if word.is_empty() {
        return Some(0);
    }
    text.windows(word.len()).position(|window| window == word)
}
