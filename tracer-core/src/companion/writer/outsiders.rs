//! Processes that are not recorded but share memory with the program: what they store there is in no log.
//!
//! The library tells of each file that the program maps shared and may write to. /proc then says who else has it
//! mapped. Who maps it later is found when the next is told, or at the recording's end, if it still has it then.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::companion::memory::ControlMapping;
use crate::session::FileMessage;

/// Going through /proc takes milliseconds, for which the program may have to wait: not more often than this.
const OFTEN: Duration = Duration::from_secs(1);

/// The files that the program shares. Clones are the same.
#[derive(Clone)]
pub struct Outsiders {
    control: Arc<ControlMapping>,
    found: Arc<Mutex<Found>>,
}

#[derive(Default)]
struct Found {
    files: Vec<Shared>,
    looked: Option<Instant>,
    warnings: BTreeSet<String>,
}

/// A file that the program has mapped shared.
struct Shared {
    device: u64,
    inode: u64,
    /// Its path, for the message.
    name: String,
}

impl Outsiders {
    /// Of the session that `control` belongs to.
    pub fn new(control: Arc<ControlMapping>) -> Outsiders {
        Outsiders { control, found: Arc::default() }
    }

    /// The program has mapped a file shared.
    pub fn look_at(&self, message: &FileMessage, file: Option<&File>) {
        let name = file.and_then(path_of).unwrap_or_else(|| format!("inode {}", message.inode));
        let shared = Shared { device: message.device, inode: message.inode, name };
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        found.files.push(shared);
        if found.looked.is_none_or(|time| time.elapsed() > OFTEN) {
            found.looked = Some(Instant::now());
            let warnings = self.who_else(&found.files);
            found.warnings.extend(warnings);
        }
    }

    /// What is to be told, after another look.
    pub fn finish(&self) -> Vec<String> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if !found.files.is_empty() {
            let late = self.who_else(&found.files);
            found.warnings.extend(late);
        }
        found.warnings.iter().cloned().collect()
    }

    fn who_else(&self, files: &[Shared]) -> Vec<String> {
        let recorded: BTreeSet<u32> =
            self.control.slots.iter().map(|slot| slot.process.load(Ordering::Relaxed)).collect();
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        let mut warnings = Vec::new();
        for id in ids.filter(|id| !descends_from(*id, &recorded) && *id != std::process::id()) {
            // What we may not look at, or what has ended meanwhile.
            let Ok(maps) = fs::read_to_string(format!("/proc/{id}/maps")) else { continue };
            for file in files.iter().filter(|file| maps.lines().any(|line| shows(line, file))) {
                let program = fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
                warnings.push(format!(
                    "process {id} ({}), which is not recorded, shares the memory of {} with the program: what it \
                     stores there is not in the recording, and a replay may diverge where the program sees it",
                    program.trim_end(),
                    file.name
                ));
            }
        }
        warnings
    }
}

/// Whether the process or one of its ancestors is one of these. A child of a recorded process may not have said yet that
/// it is there, or have said already that it ends.
fn descends_from(mut id: u32, recorded: &BTreeSet<u32>) -> bool {
    const GENERATIONS: usize = 32;
    for _ in 0..GENERATIONS {
        if id != 0 && recorded.contains(&id) {
            return true;
        }
        let Ok(status) = fs::read_to_string(format!("/proc/{id}/stat")) else { return false };
        // The name, in parentheses, may have any characters in it.
        let rest = status.rsplit(')').next().unwrap_or_default();
        let Some(parent) = rest.split_ascii_whitespace().nth(1).and_then(|text| text.parse().ok()) else {
            return false;
        };
        id = parent;
    }
    false
}

fn path_of(file: &File) -> Option<String> {
    use std::os::fd::AsRawFd;
    let path = fs::read_link(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    Some(path.display().to_string())
}

/// Whether a line of a maps file is a shared mapping of the file.
fn shows(line: &str, file: &Shared) -> bool {
    let mut fields = line.split_ascii_whitespace();
    let (Some(_), Some(rights), Some(_), Some(device), Some(inode)) =
        (fields.next(), fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return false;
    };
    let Some((major, minor)) = device.split_once(':') else { return false };
    let number = |text: &str| u32::from_str_radix(text, 16).ok();
    let (Some(major), Some(minor)) = (number(major), number(minor)) else { return false };
    rights.ends_with('s') && inode.parse() == Ok(file.inode) && libc::makedev(major, minor) == file.device
}

#[cfg(test)]
mod tests {
    use super::{Shared, shows};

    #[test]
    fn only_shared_mappings_of_the_very_file_count() {
        let file = Shared { device: libc::makedev(0xfe, 1), inode: 77, name: String::new() };
        assert!(shows("7f00-7f01 rw-s 00000000 fe:01 77     /dev/shm/a name", &file));
        assert!(!shows("7f00-7f01 rw-p 00000000 fe:01 77     /dev/shm/a", &file));
        assert!(!shows("7f00-7f01 rw-s 00000000 fe:01 78     /dev/shm/a", &file));
        assert!(!shows("7f00-7f01 rw-s 00000000 00:01 77     /memfd:a", &file));
        assert!(!shows("", &file));
    }
}
