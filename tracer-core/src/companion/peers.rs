//! The thread of the companion that listens: to the program's socket, whose end is the program's end, and to
//! the launcher.

use std::fs::File;
use std::io;
use std::mem::{self, MaybeUninit};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use super::futex::SystemFutex;
use super::link::{Link, ToCompanion};
use super::memory::ControlMapping;
use super::wake::Bell;
use crate::session::FileMessage;

/// What the listener has heard.
pub struct Heard {
    program: AtomicBool,
    launcher: AtomicBool,
    root_status: Mutex<Option<i32>>,
}

impl Heard {
    /// No process of the session is left.
    pub fn program_gone(&self) -> bool {
        !self.program.load(Ordering::Acquire)
    }

    /// The first process's wait status, once the launcher has told it.
    pub fn root_status(&self) -> Option<i32> {
        self.root_status.lock().ok().and_then(|status| *status)
    }

    /// The launcher has not told the first process's wait status, but still may.
    pub fn awaits_root_status(&self) -> bool {
        self.launcher.load(Ordering::Acquire) && self.root_status().is_none()
    }
}

/// What a listener is given.
pub struct Peers {
    /// The companion's end of the session's socket.
    pub socket: OwnedFd,
    /// The companion's end of the connection with the launcher.
    pub link: Link,
    /// For ringing the companion's bell when there is news.
    pub control: Arc<ControlMapping>,
    /// Gives a `signalfd_siginfo` for each [`News::Alarm`].
    pub alarm: Option<OwnedFd>,
}

/// What whoever listens is told.
pub enum News {
    /// The program sends a file.
    File(FileMessage, Option<File>),
    /// Somebody wants to write to a file of which we have a lease.
    Alarm,
}

/// Starts to listen. `on_news` is called on the listening thread.
pub fn listen(peers: Peers, mut on_news: impl FnMut(News) + Send + 'static) -> io::Result<Arc<Heard>> {
    let heard = Arc::new(Heard {
        program: AtomicBool::new(true),
        launcher: AtomicBool::new(true),
        root_status: Mutex::new(None),
    });
    let ours = heard.clone();
    thread::Builder::new().name("imitate-listen".into()).spawn(move || {
        let Peers { socket, mut link, control, alarm } = peers;
        let (mut program, mut launcher) = (true, true);
        while program || launcher {
            let [from_program, from_launcher, alarmed] = wait([
                program.then(|| socket.as_raw_fd()),
                launcher.then(|| link.descriptor()),
                alarm.as_ref().map(OwnedFd::as_raw_fd),
            ]);
            if alarmed && let Some(alarm) = &alarm {
                // Before the look at what it is about, so that none is missed.
                take_signal(alarm);
                on_news(News::Alarm);
            }
            if from_launcher {
                match link.receive() {
                    Ok(Some(ToCompanion::RootEnded(status))) => {
                        if let Ok(mut place) = ours.root_status.lock() {
                            *place = Some(status);
                        }
                    }
                    Ok(None) | Err(_) => launcher = false,
                }
                ours.launcher.store(launcher, Ordering::Release);
            }
            if from_program {
                program = receive_file(socket.as_fd(), &mut on_news);
                ours.program.store(program, Ordering::Release);
            }
            if from_launcher || !program {
                Bell::of_companion(&control).ring(&SystemFutex::new(Default::default(), None));
            }
        }
    })?;
    Ok(heard)
}

/// Waits until one of them has something, or is closed.
fn wait<const N: usize>(descriptors: [Option<RawFd>; N]) -> [bool; N] {
    // A negative descriptor is left out.
    let mut polls =
        descriptors.map(|fd| libc::pollfd { fd: fd.unwrap_or(-1), events: libc::POLLIN, revents: 0 });
    // SAFETY: N pollfds, which the kernel fills.
    unsafe { libc::poll(polls.as_mut_ptr(), N as libc::nfds_t, -1) };
    polls.map(|poll| poll.revents != 0)
}

/// Takes a signal from a signalfd.
fn take_signal(alarm: &OwnedFd) {
    let mut information = MaybeUninit::<libc::signalfd_siginfo>::uninit();
    // SAFETY: the kernel writes at most the structure, which nobody reads.
    unsafe { libc::read(alarm.as_raw_fd(), information.as_mut_ptr().cast(), size_of_val(&information)) };
}

/// Room for one descriptor in a control message, aligned as control messages must be.
#[repr(C)]
union ControlMessage {
    header: libc::cmsghdr,
    // SAFETY: CMSG_SPACE only computes.
    space: [u8; unsafe { libc::CMSG_SPACE(size_of::<RawFd>() as u32) } as usize],
}

/// Receives one message. False at the end.
fn receive_file(socket: BorrowedFd, on_news: &mut impl FnMut(News)) -> bool {
    let mut bytes = [0u8; size_of::<FileMessage>()];
    let mut part = libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() };
    let mut ancillary = MaybeUninit::<ControlMessage>::zeroed();
    // SAFETY: all zeros is a valid msghdr.
    let mut message: libc::msghdr = unsafe { mem::zeroed() };
    message.msg_iov = &mut part;
    message.msg_iovlen = 1;
    message.msg_control = ancillary.as_mut_ptr().cast();
    message.msg_controllen = size_of::<ControlMessage>();
    // SAFETY: the message's parts outlive the call.
    let length = unsafe { libc::recvmsg(socket.as_raw_fd(), &mut message, libc::MSG_CMSG_CLOEXEC) };
    if length <= 0 {
        let error = io::Error::last_os_error();
        return length < 0 && error.kind() == io::ErrorKind::Interrupted;
    }
    let file = received_descriptor(&message).map(File::from);
    // Anything but a whole message is not from our library; the program may have found the socket and written
    // to it. A whole one without a descriptor comes when this process has no room for another.
    if length as usize == bytes.len() {
        // SAFETY: FileMessage is plain integers without padding, so any bytes are one; the source is as long.
        let message = unsafe { ptr::read_unaligned(bytes.as_ptr().cast::<FileMessage>()) };
        on_news(News::File(message, file));
    }
    true
}

/// The first descriptor that came with `message`.
fn received_descriptor(message: &libc::msghdr) -> Option<OwnedFd> {
    // SAFETY: recvmsg has filled the message; the macros stay within its control buffer.
    unsafe {
        let header = libc::CMSG_FIRSTHDR(message).as_ref()?;
        if header.cmsg_level != libc::SOL_SOCKET || header.cmsg_type != libc::SCM_RIGHTS {
            return None;
        }
        let descriptor = ptr::read_unaligned(libc::CMSG_DATA(header).cast::<RawFd>());
        // SAFETY of ownership: the kernel made it for this message.
        Some(OwnedFd::from_raw_fd(descriptor))
    }
}
