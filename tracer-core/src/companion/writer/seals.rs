//! Seals: what makes it certain that a file does not change while events refer to what it holds.
//!
//! A seal is a read lease (fcntl(2), F_SETLEASE). The kernel grants one only if nobody, in any process, has the file open
//! for writing (which a shared mapping that can be written counts as), and lets nobody open it for writing or truncate it
//! before the lease is given back: whoever tries sleeps, and we get a signal. By then the trace must have a copy.
//!
//! The program reads, and then looks whether the seal holds ([`Control::seals`](crate::session::Control::seals)); so all that it logs by reference was
//! read under the lease, and is in the copy. Where there is no lease (another user's file, a file system without them, a
//! file that is being written) it logs the bytes.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::MetadataExt;
use std::ptr;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::companion::futex::SystemFutex;
use crate::companion::memory::ControlMapping;
use crate::companion::wake::Bell;
use crate::session::{FileMessage, SEALS, seal};
use crate::trace::files::Identity;

/// A file that does not change.
pub struct Seal {
    /// Its place in [`crate::session::Control::seals`].
    place: usize,
    /// What the place holds while the seal does.
    value: u32,
    /// The sealed file, as a descriptor of our own: the lease is this descriptor's.
    pub file: File,
    identity: Identity,
}

/// The seals of a recording. Clones are the same.
#[derive(Clone)]
pub struct Seals {
    control: Arc<ControlMapping>,
    table: Arc<Mutex<Table>>,
}

struct Table {
    /// Those that hold.
    whole: Vec<Arc<Seal>>,
    /// Which places are in use.
    used: [bool; SEALS],
}

impl Seals {
    /// For the session of `control`.
    pub fn new(control: Arc<ControlMapping>) -> Seals {
        let table = Table { whole: Vec::new(), used: [false; SEALS] };
        Seals { control, table: Arc::new(Mutex::new(table)) }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Seals the file that the program has met, if that is possible. One that is deleted already is sealed only if it is
    /// at most `largest_deleted` bytes long, so that it will be copied.
    pub fn seal(&self, message: &FileMessage, file: &File, largest_deleted: u64) -> Option<Arc<Seal>> {
        let met = Identity::from(message);
        let mut table = self.table();
        if let Some(seal) = table.whole.iter().find(|seal| seal.identity == met) {
            return Some(seal.clone());
        }
        let place = table.used.iter().position(|used| !used)?;
        let file = lease(file)?;
        let metadata = file.metadata().ok()?;
        let lasts = metadata.nlink() > 0 || metadata.size() <= largest_deleted;
        if Identity::from(&metadata) != met || !lasts {
            return None;
        }
        // Odd while there is a seal.
        let value = self.control.seals[place].load(Ordering::Relaxed).wrapping_add(1) | 1;
        self.control.seals[place].store(value, Ordering::SeqCst);
        let seal = Arc::new(Seal { place, value, file, identity: met });
        table.used[place] = true;
        table.whole.push(seal.clone());
        Some(seal)
    }

    /// Tells the thread that asked.
    pub fn answer(&self, message: &FileMessage, seal: Option<&Seal>) {
        let slot = usize::try_from(message.slot).ok().and_then(|slot| self.control.slots.get(slot));
        let Some(slot) = slot else { return };
        let answer = seal.map_or(seal::REFUSED, |seal| seal::FIRST + seal.place as u32);
        slot.seal_value.store(seal.map_or(0, |seal| seal.value), Ordering::Relaxed);
        slot.seal.store(answer, Ordering::Release);
        Bell::of_program(slot).ring(&SystemFutex::new(Default::default(), None));
    }

    /// Takes away the seals of files that somebody wants to write to. They must be [released](Seals::release) soon.
    pub fn take_broken(&self) -> Vec<Arc<Seal>> {
        let mut table = self.table();
        let (whole, broken) = table.whole.drain(..).partition(|seal| !seal.is_wanted());
        table.whole = whole;
        broken.iter().for_each(|seal| self.invalidate(seal));
        broken
    }

    /// Takes away all seals. They must be [released](Seals::release).
    pub fn take_all(&self) -> Vec<Arc<Seal>> {
        let all = std::mem::take(&mut self.table().whole);
        all.iter().for_each(|seal| self.invalidate(seal));
        all
    }

    /// From here on the program logs bytes.
    fn invalidate(&self, seal: &Seal) {
        self.control.seals[seal.place].store(seal.value.wrapping_add(1), Ordering::SeqCst);
    }

    /// Lets others write to the file of a seal that was taken away. Returns whether they had to wait until now: a lease
    /// that is not given back in time is taken by the kernel (/proc/sys/fs/lease-break-time).
    pub fn release(&self, seal: &Seal) -> bool {
        // SAFETY: a plain system call on our own descriptor.
        let held = unsafe { libc::fcntl(seal.file.as_raw_fd(), libc::F_SETLEASE, libc::F_UNLCK) } == 0;
        self.table().used[seal.place] = false;
        held
    }
}

impl Seal {
    /// Whether somebody waits for it to be released.
    pub fn is_wanted(&self) -> bool {
        // SAFETY: as in `release`. While the lease is being broken this is what it is to become.
        unsafe { libc::fcntl(self.file.as_raw_fd(), libc::F_GETLEASE) != libc::F_RDLCK }
    }
}

/// `file` opened again, with a read lease; `None` if there cannot be one.
fn lease(file: &File) -> Option<File> {
    let file = File::open(format!("/proc/self/fd/{}", file.as_raw_fd())).ok()?;
    // SAFETY: plain system calls on our own descriptor. Whom to tell comes first, so that nothing is missed.
    let leased = unsafe {
        libc::fcntl(file.as_raw_fd(), libc::F_SETOWN, libc::getpid()) == 0
            && libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) == 0
    };
    leased.then_some(file)
}

/// Becomes readable when somebody wants to write to a sealed file. To be called before this process has more than one
/// thread: a signal that only some threads block finds the others.
pub fn alarm() -> io::Result<OwnedFd> {
    // SAFETY: the set is initialised by libc; the descriptor is new and nobody else's.
    unsafe {
        let mut signals: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&mut signals);
        libc::sigaddset(&mut signals, libc::SIGIO);
        if libc::sigprocmask(libc::SIG_BLOCK, &signals, ptr::null_mut()) != 0 {
            return Err(io::Error::last_os_error());
        }
        let descriptor = libc::signalfd(-1, &signals, libc::SFD_CLOEXEC | libc::SFD_NONBLOCK);
        if descriptor < 0 { Err(io::Error::last_os_error()) } else { Ok(OwnedFd::from_raw_fd(descriptor)) }
    }
}
