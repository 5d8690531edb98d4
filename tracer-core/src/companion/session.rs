//! Making a session: its memory, its socket, and the descriptors that the program gets.

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::sync::atomic::Ordering;

use super::limits::{Limit, Resource};
use super::memory::ControlMapping;
use crate::processor::Hidden;
use crate::session::schedule::{self, HandOver};
use crate::session::{MAGIC, Mode, Order, SESSION_SIZE, slot_state, watch};

/// The highest number that a descriptor of ours gets. A process's descriptor table is as long as its highest
/// number, and fork copies it: a number near a limit of a million would cost each fork 8 MB. This is the highest one
/// where the limit is what it usually is.
const HIGHEST_DESCRIPTOR: u64 = 1023;

/// A session: shared memory and a socket, as seen by whoever created it.
pub struct Session {
    /// The shared memory. Closed on exec.
    pub memory: OwnedFd,
    /// The companion's end of the socket. Closed on exec.
    pub socket: OwnedFd,
    /// The control region.
    pub control: ControlMapping,
    /// What the program gets.
    pub program: ProgramDescriptors,
}

/// The descriptors that the program inherits. They have high numbers, so that they do not take those that the
/// program expects to get, and survive exec.
pub struct ProgramDescriptors {
    /// The session's memory.
    pub memory: OwnedFd,
    /// The program's end of the socket. The companion takes its last copy's end for the program's end.
    pub socket: OwnedFd,
}

impl ProgramDescriptors {
    /// The value of [`crate::session::environment::SESSION`] for the process that will use `slot`.
    pub fn value(&self, slot: u16) -> String {
        format!("{:04X},{:04X},{slot:04X}", self.memory.as_raw_fd(), self.socket.as_raw_fd())
    }
}

/// What a session is for.
pub struct Settings<'a> {
    /// What its processes do.
    pub mode: Mode,
    /// A [`check_level`](crate::session::check_level).
    pub check: u32,
    /// What makes the interleaving of threads repeatable.
    pub order: Order,
    /// The seed of chaos, or 0.
    pub chaos: u64,
    /// What programs are not told of their processor, and whether those that could see it do not begin.
    pub hidden: (Hidden, bool),
    /// There is room for what a replay tells beside ([`watch`]).
    pub watched: bool,
    /// The hand-overs that a recording makes ([`schedule`]), at most [`schedule::LONGEST`].
    pub hand_overs: Option<&'a [HandOver]>,
}

impl Session {
    /// Creates a session in which slot 0 is reserved for stream 0. In replay the feeder says which order it is, and what is hidden.
    ///
    /// Errors: the kernel lacks memfd, or a limit on open files or on file size (which counts for shared
    /// memory too) is too low.
    pub fn create(settings: &Settings) -> io::Result<Session> {
        let Settings { mode, check, order, chaos, hidden: (hidden, strictly), watched, hand_overs } =
            *settings;
        let size = match hand_overs {
            _ if watched => watch::WATCHED_SIZE,
            Some(_) => schedule::SCHEDULED_SIZE,
            None => SESSION_SIZE,
        };
        let memory =
            create_memory(size).map_err(|error| explain("create the session's shared memory", error))?;
        let control = ControlMapping::new(memory.as_fd())
            .map_err(|error| explain("map the session's shared memory", error))?;
        control.mode.store(mode as u32, Ordering::Relaxed);
        control.check.store(check, Ordering::Relaxed);
        control.order.store(order as u32, Ordering::Relaxed);
        control.chaos.store(chaos, Ordering::Relaxed);
        control.hidden.set(hidden);
        control.hides_strictly.store(strictly.into(), Ordering::Relaxed);
        control.watch.on.store(watched.into(), Ordering::Relaxed);
        if let Some(list) = hand_overs {
            let list = &list[..list.len().min(schedule::LONGEST)];
            File::from(memory.try_clone()?).write_all_at(schedule::bytes(list), schedule::LIST as u64)?;
            control.schedule.count.store(list.len() as u32, Ordering::Relaxed);
            control.schedule.on.store(1, Ordering::Relaxed);
            control.slots[0].lineage.store(schedule::FIRST, Ordering::Relaxed);
        }
        control.next_stream.store(1, Ordering::Relaxed);
        control.live_processes.store(1, Ordering::Relaxed);
        control.slots[0].state.store(slot_state::RESERVED, Ordering::Relaxed);
        control.magic.store(MAGIC, Ordering::Release);

        let (socket, theirs) = socket_pair(libc::SOCK_SEQPACKET)
            .map_err(|error| explain("create the session's socket", error))?;
        let top = Limit::of(Resource::OpenFiles)?.soft.min(HIGHEST_DESCRIPTOR + 1);
        let program_memory = high_duplicate(memory.as_fd(), top)?;
        let program_socket = high_duplicate(theirs.as_fd(), program_memory.as_raw_fd() as u64)?;
        let program = ProgramDescriptors { memory: program_memory, socket: program_socket };
        Ok(Session { memory, socket, control, program })
    }
}

fn explain(what: &str, error: io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("cannot {what}: {error}"))
}

/// Two connected sockets of a type, closed on exec.
pub(super) fn socket_pair(kind: libc::c_int) -> io::Result<(OwnedFd, OwnedFd)> {
    let mut ends = [-1; 2];
    // SAFETY: the kernel writes two descriptors into `ends`.
    if unsafe { libc::socketpair(libc::AF_UNIX, kind | libc::SOCK_CLOEXEC, 0, ends.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: both were just created and belong to nobody else.
    Ok(unsafe { (OwnedFd::from_raw_fd(ends[0]), OwnedFd::from_raw_fd(ends[1])) })
}

fn create_memory(size: usize) -> io::Result<OwnedFd> {
    const NAME: &CStr = c"imitate-session";
    // Without MFD_NOEXEC_SEAL newer kernels complain in their log; older ones do not know it.
    let flags = libc::MFD_CLOEXEC | libc::MFD_ALLOW_SEALING;
    let memory = [flags | libc::MFD_NOEXEC_SEAL, flags]
        .into_iter()
        // SAFETY: the name is a C string.
        .map(|flags| unsafe { libc::memfd_create(NAME.as_ptr(), flags) })
        .find(|&descriptor| descriptor >= 0)
        .ok_or_else(io::Error::last_os_error)?;
    // SAFETY: just created, nobody else's.
    let memory = unsafe { OwnedFd::from_raw_fd(memory) };
    // `ulimit -f` counts for shared memory too, and exceeding it is a deadly signal.
    let _lifted = Limit::of(Resource::FileSize)?.lift_to(size as u64)?;
    // SAFETY: a plain system call on our own descriptor.
    if unsafe { libc::ftruncate(memory.as_raw_fd(), size as libc::off_t) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // A program that finds the descriptor and truncates it would kill the companion with SIGBUS.
    let seals = libc::F_SEAL_SHRINK | libc::F_SEAL_GROW | libc::F_SEAL_SEAL;
    // SAFETY: as above.
    if unsafe { libc::fcntl(memory.as_raw_fd(), libc::F_ADD_SEALS, seals) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(memory)
}

/// A duplicate of `descriptor`, inherited over exec, with the highest free number below `top`.
fn high_duplicate(descriptor: BorrowedFd, top: u64) -> io::Result<OwnedFd> {
    for number in (3..top).rev() {
        // F_DUPFD takes the lowest free number from `number` on, which is another one if that one is taken.
        // SAFETY: a plain system call.
        let duplicate = unsafe { libc::fcntl(descriptor.as_raw_fd(), libc::F_DUPFD, number as libc::c_int) };
        if duplicate >= 0 {
            // SAFETY: just created, nobody else's.
            return Ok(unsafe { OwnedFd::from_raw_fd(duplicate) });
        }
        let error = io::Error::last_os_error();
        // EMFILE: none is free from `number` to the limit.
        if error.raw_os_error() != Some(libc::EMFILE) {
            return Err(explain("give the program its session descriptors", error));
        }
    }
    Err(io::Error::other(format!(
        "cannot give the program its session descriptors: all {top} file descriptors are in use; \
         raise the limit with `ulimit -n`"
    )))
}
