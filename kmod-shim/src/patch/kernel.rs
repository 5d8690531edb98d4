//! The system calls that rewriting makes.

/// Access to the kernel. The recorder's calls must be let through by Syscall User Dispatch, so how they are made
/// is the caller's business.
pub trait Kernel {
    /// Makes system call `number`; gives its result as the kernel does: an errno is negative.
    ///
    /// # Safety
    /// As dangerous as the call itself.
    unsafe fn call(&self, number: i64, arguments: [u64; 6]) -> i64;
}

/// The `errno` of a call.
type Errno = i32;

/// A result as the kernel gives it, told apart.
fn checked(result: i64) -> Result<u64, Errno> {
    const LARGEST_ERRNO: i64 = 4095;
    match result {
        -LARGEST_ERRNO..0 => Err(-result as Errno),
        _ => Ok(result as u64),
    }
}

/// Maps fresh executable memory at exactly `address`, if nothing is there.
pub(super) fn map_code(kernel: &impl Kernel, address: u64, length: u64) -> Result<(), Errno> {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let protection = libc::PROT_READ | libc::PROT_EXEC;
    let arguments = [address, length, protection as u64, flags as u64, u64::MAX, 0];
    // SAFETY: the flags make the kernel refuse what would replace an existing mapping.
    let mapped = checked(unsafe { kernel.call(libc::SYS_mmap, arguments) })?;
    if mapped == address { Ok(()) } else { Err(libc::EEXIST) }
}

/// Changes the protection of memory.
///
/// # Safety
/// Whatever uses the memory can bear it.
pub(super) unsafe fn protect(
    kernel: &impl Kernel,
    address: u64,
    length: u64,
    protection: i32,
) -> Result<(), Errno> {
    // SAFETY: the caller vouches for the memory.
    checked(unsafe { kernel.call(libc::SYS_mprotect, [address, length, protection as u64, 0, 0, 0]) }).map(drop)
}

/// Writes memory of this process that need not be writable, if it is a private mapping; tells how much of it.
///
/// # Safety
/// The bytes may be changed, one after the other.
pub(super) unsafe fn write_memory(kernel: &impl Kernel, address: u64, bytes: &[u8]) -> Result<u64, Errno> {
    // Not "self": that is the first thread's, which may have ended. Opened each time, because it stays with the
    // address space that it was opened in, and a child has another.
    let path = c"/proc/thread-self/mem".as_ptr() as u64;
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as u64;
    // SAFETY: opens a file by a path that outlives the call.
    let file = checked(unsafe { kernel.call(libc::SYS_openat, [libc::AT_FDCWD as u64, path, flags, 0, 0, 0]) })?;
    let arguments = [file, bytes.as_ptr() as u64, bytes.len() as u64, address, 0, 0];
    // SAFETY: the caller lets the bytes be changed.
    let written = checked(unsafe { kernel.call(libc::SYS_pwrite64, arguments) });
    // SAFETY: the descriptor is ours.
    unsafe { kernel.call(libc::SYS_close, [file, 0, 0, 0, 0, 0]) };
    written
}
