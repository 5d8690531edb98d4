//! The few system calls that the library makes for itself, on the hook path and at start.

use crate::watch::alone;
use core::sync::atomic::AtomicU32;
use kmod_shim::arch::native::raw;

/// A negative errno as a positive number.
pub type Errno = i32;

/// Makes a call for ourselves: Ok(result) or Err(errno).
///
/// # Safety
/// As dangerous as the call itself.
pub unsafe fn call(number: i64, arguments: [u64; 6]) -> Result<u64, Errno> {
    // SAFETY: the caller vouches for the call.
    let result = unsafe { raw::call(number, arguments) };
    if (-4095..0).contains(&result) { Err(-result as Errno) } else { Ok(result as u64) }
}

/// Maps zeroed, writable memory at exactly `address`.
pub fn map_anonymous(address: usize, length: usize) -> Result<(), Errno> {
    map(address, length, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0)
}

/// mmap(2) at exactly `address`, where nothing may be yet.
pub fn map(
    address: usize,
    length: usize,
    protection: i32,
    flags: i32,
    descriptor: i32,
    offset: usize,
) -> Result<(), Errno> {
    let flags = flags | libc::MAP_FIXED_NOREPLACE;
    let arguments = [
        address as u64,
        length as u64,
        protection as u64,
        flags as u64,
        descriptor as i64 as u64,
        offset as u64,
    ];
    // SAFETY: MAP_FIXED_NOREPLACE never touches an existing mapping.
    unsafe { call(libc::SYS_mmap, arguments) }.map(drop)
}

/// mmap(2) at exactly `address`, over our own mapping there.
///
/// # Safety
/// What is mapped there now is ours and no longer used.
pub unsafe fn remap_shared(
    address: usize,
    length: usize,
    descriptor: i32,
    offset: usize,
) -> Result<(), Errno> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    let flags = (libc::MAP_SHARED | libc::MAP_FIXED) as u64;
    let arguments = [address as u64, length as u64, protection, flags, descriptor as u64, offset as u64];
    // SAFETY: the caller gives up what is there.
    unsafe { call(libc::SYS_mmap, arguments) }.map(drop)
}

/// Writes all of `bytes` to a descriptor; gives up on errors other than EINTR.
pub fn write_all(descriptor: i32, mut bytes: &[u8]) -> Result<(), Errno> {
    while !bytes.is_empty() {
        // SAFETY: the slice is valid.
        match unsafe {
            call(libc::SYS_write, [descriptor as u64, bytes.as_ptr() as u64, bytes.len() as u64, 0, 0, 0])
        } {
            Ok(written) => bytes = &bytes[written as usize..],
            Err(libc::EINTR) => {}
            Err(libc::EAGAIN) => wait_writable(descriptor),
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn wait_writable(descriptor: i32) {
    let mut poll = libc::pollfd { fd: descriptor, events: libc::POLLOUT, revents: 0 };
    // SAFETY: one valid pollfd.
    let _ = unsafe { call(libc::SYS_poll, [&raw mut poll as u64, 1, u64::MAX, 0, 0, 0]) };
}

/// Whether the other end of our session socket is gone.
pub fn hung_up(descriptor: i32) -> bool {
    let mut poll = libc::pollfd { fd: descriptor, events: 0, revents: 0 };
    // SAFETY: one valid pollfd; a timeout of 0 never sleeps.
    let ready = unsafe { call(libc::SYS_poll, [&raw mut poll as u64, 1, 0, 0, 0, 0]) };
    ready == Ok(1) && poll.revents & (libc::POLLHUP | libc::POLLERR | libc::POLLNVAL) != 0
}

/// Sleeps while `word` is `expected`, at most `milliseconds`. Shared between processes. True if the time ran out.
pub fn futex_wait(word: &AtomicU32, expected: u32, milliseconds: u64) -> bool {
    alone::while_others_go_on(|| futex_sleep(word, expected, milliseconds))
}

/// The same where it makes no difference whether others go on.
pub fn futex_sleep(word: &AtomicU32, expected: u32, milliseconds: u64) -> bool {
    let timeout = libc::timespec {
        tv_sec: (milliseconds / 1000) as i64,
        tv_nsec: (milliseconds % 1000 * 1_000_000) as i64,
    };
    // SAFETY: the word and the timeout are valid.
    let result = unsafe {
        call(
            libc::SYS_futex,
            [word.as_ptr() as u64, libc::FUTEX_WAIT as u64, expected as u64, &raw const timeout as u64, 0, 0],
        )
    };
    result == Err(libc::ETIMEDOUT)
}

/// Processor time that this process has used, in nanoseconds.
pub fn processor_time() -> u64 {
    read_clock(libc::CLOCK_PROCESS_CPUTIME_ID)
}

/// Processor time that this thread has used, in microseconds.
pub fn thread_time() -> u64 {
    read_clock(libc::CLOCK_THREAD_CPUTIME_ID) / 1000
}

/// Time since some moment, in nanoseconds.
pub fn monotonic_time() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC)
}

/// A clock that always exists, in nanoseconds.
fn read_clock(clock: i32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the structure is valid and writable.
    let _ = unsafe { call(libc::SYS_clock_gettime, [clock as u64, &raw mut time as u64, 0, 0, 0, 0]) };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Sleepers of any kind.
const ALL: u32 = !0;

/// As [`futex_wait`], and woken only by those who wake one of the sleepers in this set.
pub fn futex_wait_for(word: &AtomicU32, expected: u32, milliseconds: u64, set: u32) -> bool {
    // This operation takes a moment, not a time.
    let until = microseconds() + milliseconds * 1000;
    let until =
        libc::timespec { tv_sec: (until / 1_000_000) as i64, tv_nsec: (until % 1_000_000 * 1000) as i64 };
    let place = word.as_ptr() as u64;
    let operation = libc::FUTEX_WAIT_BITSET as u64;
    let arguments = [place, operation, expected as u64, &raw const until as u64, 0, set as u64];
    // SAFETY: the word and the time are valid.
    let result = alone::while_others_go_on(|| unsafe { call(libc::SYS_futex, arguments) });
    result == Err(libc::ETIMEDOUT)
}

/// Whether the thread (a process's first one has its id) has not ended yet, whether or not somebody has waited for
/// it. It opens no descriptor, which would change the numbers that the program's own get.
pub fn is_alive(thread: u32) -> bool {
    let mut byte = 0u8;
    let local = libc::iovec { iov_base: (&raw mut byte).cast(), iov_len: 1 };
    let remote = libc::iovec { iov_base: core::ptr::null_mut(), iov_len: 1 };
    // What has ended has no memory (ESRCH); of what lives, address 0 cannot be read, or we may not.
    let arguments = [thread as u64, &raw const local as u64, 1, &raw const remote as u64, 1, 0];
    // SAFETY: the vectors are valid, and the one byte is ours.
    let read = unsafe { call(libc::SYS_process_vm_readv, arguments) };
    read != Err(libc::ESRCH)
}

/// Wakes one sleeper on `word`.
pub fn futex_wake_one(word: &AtomicU32) {
    wake(word, 1, ALL);
}

/// The monotonic clock, in microseconds.
pub fn microseconds() -> u64 {
    read_clock(libc::CLOCK_MONOTONIC) / 1000
}

/// Sleeps for so many nanoseconds, or less.
pub fn sleep(nanoseconds: u64) {
    let time = libc::timespec {
        tv_sec: (nanoseconds / 1_000_000_000) as i64,
        tv_nsec: (nanoseconds % 1_000_000_000) as i64,
    };
    // SAFETY: the structure is valid.
    let _ = unsafe { call(libc::SYS_nanosleep, [&raw const time as u64, 0, 0, 0, 0, 0]) };
}

/// Ends a process of the replay.
pub fn kill(process: u32) {
    // SAFETY: touches no memory.
    let _ = unsafe { call(libc::SYS_kill, [u64::from(process), libc::SIGKILL as u64, 0, 0, 0, 0]) };
}

/// Lets another thread have the processor.
pub fn yield_processor() {
    // SAFETY: touches no memory.
    alone::while_others_go_on(|| unsafe { raw::call(libc::SYS_sched_yield, [0; 6]) });
}

/// Wakes all sleepers on `word`.
pub fn futex_wake(word: &AtomicU32) {
    wake(word, i32::MAX as u64, ALL);
}

/// Wakes the sleepers on `word` that are in this set ([`futex_wait_for`]).
pub fn futex_wake_for(word: &AtomicU32, set: u32) {
    wake(word, i32::MAX as u64, set);
}

fn wake(word: &AtomicU32, count: u64, set: u32) {
    let operation = libc::FUTEX_WAKE_BITSET as u64;
    // SAFETY: the word is valid.
    let _ = unsafe { call(libc::SYS_futex, [word.as_ptr() as u64, operation, count, 0, 0, set as u64]) };
}

/// Opens `path` (NUL-terminated) for reading, close-on-exec.
pub fn open(path: &core::ffi::CStr) -> Result<i32, Errno> {
    let flags = (libc::O_RDONLY | libc::O_CLOEXEC) as u64;
    // SAFETY: the path is valid.
    unsafe { call(libc::SYS_openat, [libc::AT_FDCWD as i64 as u64, path.as_ptr() as u64, flags, 0, 0, 0]) }
        .map(|descriptor| descriptor as i32)
}

/// Closes a descriptor of our own.
pub fn close(descriptor: i32) {
    // SAFETY: closes only what the caller names.
    let _ = unsafe { call(libc::SYS_close, [descriptor as u64, 0, 0, 0, 0, 0]) };
}

/// Reads up to `target.len()` bytes.
pub fn read(descriptor: i32, target: &mut [u8]) -> Result<usize, Errno> {
    // SAFETY: the slice is valid and writable.
    unsafe {
        call(libc::SYS_read, [descriptor as u64, target.as_mut_ptr() as u64, target.len() as u64, 0, 0, 0])
    }
    .map(|count| count as usize)
}

/// Reads a whole small file.
pub fn read_file(path: &core::ffi::CStr) -> Result<alloc::vec::Vec<u8>, Errno> {
    let descriptor = open(path)?;
    let mut bytes = alloc::vec::Vec::with_capacity(16 << 10);
    loop {
        let length = bytes.len();
        bytes.resize(length + (8 << 10), 0);
        match read(descriptor, &mut bytes[length..]) {
            Ok(0) => {
                bytes.truncate(length);
                break;
            }
            Ok(count) => bytes.truncate(length + count),
            Err(error) => {
                close(descriptor);
                return Err(error);
            }
        }
    }
    close(descriptor);
    Ok(bytes)
}

/// Target of the symbolic link `path`, in `buffer`.
pub fn read_link<'a>(path: &core::ffi::CStr, buffer: &'a mut [u8]) -> Result<&'a [u8], Errno> {
    // SAFETY: both are valid.
    let length = unsafe {
        call(
            libc::SYS_readlink,
            [path.as_ptr() as u64, buffer.as_mut_ptr() as u64, buffer.len() as u64, 0, 0, 0],
        )
    }?;
    Ok(&buffer[..length as usize])
}

/// The current directory, in `buffer`.
pub fn current_directory(buffer: &mut [u8]) -> Result<&[u8], Errno> {
    // SAFETY: the buffer is valid and writable.
    let asked =
        unsafe { call(libc::SYS_getcwd, [buffer.as_mut_ptr() as u64, buffer.len() as u64, 0, 0, 0, 0]) };
    match asked {
        // The NUL is counted.
        Ok(length @ 2..) if buffer[0] == b'/' => Ok(&buffer[..length as usize - 1]),
        // It has been deleted, or is not below the root directory: /proc has a name for it all the same.
        _ => read_link(c"/proc/thread-self/cwd", buffer),
    }
}

/// fstat(2).
pub fn status(descriptor: i32) -> Result<libc::stat, Errno> {
    let mut status = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the kernel fills the structure when it reports success.
    unsafe {
        call(libc::SYS_fstat, [descriptor as u64, status.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        Ok(status.assume_init())
    }
}

/// stat(2).
pub fn status_of(path: &core::ffi::CStr) -> Result<libc::stat, Errno> {
    let mut status = core::mem::MaybeUninit::<libc::stat>::uninit();
    // SAFETY: the path is valid, and the kernel fills the structure when it reports success.
    unsafe {
        call(libc::SYS_stat, [path.as_ptr() as u64, status.as_mut_ptr() as u64, 0, 0, 0, 0])?;
        Ok(status.assume_init())
    }
}

/// A path such as /proc/thread-self/fd/N as a C string in a fixed buffer. Not /proc/self, here and elsewhere: that is the
/// process's first thread, and once it has ended (`pthread_exit` in `main`) it has neither descriptors nor mappings.
pub fn descriptor_path(descriptor: i32, buffer: &mut [u8; 40]) -> &core::ffi::CStr {
    const PREFIX: &[u8] = b"/proc/thread-self/fd/";
    buffer[..PREFIX.len()].copy_from_slice(PREFIX);
    let mut digits = [0u8; 10];
    let mut count = 0;
    let mut rest = descriptor.max(0) as u32;
    loop {
        digits[count] = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    for i in 0..count {
        buffer[PREFIX.len() + i] = digits[count - 1 - i];
    }
    buffer[PREFIX.len() + count] = 0;
    core::ffi::CStr::from_bytes_until_nul(buffer).unwrap_or(c"")
}

/// Our process id and thread id, as the kernel has them.
pub fn real_ids() -> (u32, u32) {
    // SAFETY: neither touches memory.
    unsafe { (raw::call(libc::SYS_getpid, [0; 6]) as u32, raw::call(libc::SYS_gettid, [0; 6]) as u32) }
}

/// A message of ours for the user, on the program's standard error.
pub fn complain(parts: &[&[u8]]) {
    let mut line = Line::new();
    for part in parts {
        line.push(part);
    }
    line.print();
}

/// One line for the user, cut where it is too long.
pub struct Line {
    bytes: [u8; 1024],
    length: usize,
}

impl Line {
    /// Says that it is ours.
    pub fn new() -> Line {
        let mut line = Line { bytes: [0; 1024], length: 0 };
        line.push(b"imitate: ");
        line
    }

    fn push(&mut self, part: &[u8]) {
        // The last byte is the line's end.
        let take = part.len().min(self.bytes.len() - 1 - self.length);
        self.bytes[self.length..self.length + take].copy_from_slice(&part[..take]);
        self.length += take;
    }

    /// Writes it to the program's standard error.
    pub fn print(mut self) {
        self.bytes[self.length] = b'\n';
        let _ = write_all(2, &self.bytes[..=self.length]);
    }
}

impl core::fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        self.push(text.as_bytes());
        Ok(())
    }
}

/// Ends the process at once.
pub fn exit(status: i32) -> ! {
    loop {
        // SAFETY: does not return.
        unsafe { raw::call(libc::SYS_exit_group, [status as u64, 0, 0, 0, 0, 0]) };
    }
}
