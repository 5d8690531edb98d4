//! What rewriting needs of the kernel.

/// Calls that Syscall User Dispatch lets through, with results as the kernel returns them: an address, a
/// count or 0; or a negative `errno`.
pub trait Kernel {
    /// `mmap(address, length, protection, flags, -1, 0)`.
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize;

    /// `mprotect(address, length, protection)`.
    ///
    /// # Safety
    /// Whatever uses the memory can bear the new protection.
    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize;

    /// Writes `pieces`, one after the other, to private memory of this process although it is read-only; gives
    /// 0 if all was written. Where this cannot be done (as here, if not implemented), protections are
    /// changed instead, at ten times the cost. [`write_as_debugger`] does it.
    ///
    /// # Safety
    /// The memory may be changed, byte after byte.
    unsafe fn write(&self, _pieces: &[Piece]) -> isize {
        -libc::ENOSYS as isize
    }
}

/// What is to be written somewhere.
#[derive(Clone, Copy)]
pub struct Piece<'a> {
    /// Where.
    pub address: u64,
    /// What.
    pub bytes: &'a [u8],
}

/// Writes as debuggers do, by way of the file that is this process's memory, which knows no protections: for
/// implementations of [`Kernel::write`]. `call` makes a system call and gives the kernel's result.
///
/// # Safety
/// The memory may be changed, byte after byte.
pub unsafe fn write_as_debugger(call: impl Fn(i64, [u64; 6]) -> i64, pieces: &[Piece]) -> isize {
    // Opened each time, because the file stays with the address space that opened it, and a child's is another.
    let file = open_memory(&call);
    if file < 0 {
        return file as isize;
    }
    // SAFETY: the caller lets the memory be changed.
    let result = unsafe { write_to_memory(&call, file as i32, pieces) };
    call(libc::SYS_close, [file as u64, 0, 0, 0, 0, 0]);
    result
}

/// Opens this process's memory, for several writes in a row; a descriptor, or a negative `errno`.
pub fn open_memory(call: &impl Fn(i64, [u64; 6]) -> i64) -> i64 {
    // Not "self": that is the process's first thread, which may have ended.
    let path = c"/proc/thread-self/mem".as_ptr() as u64;
    let flags = (libc::O_WRONLY | libc::O_CLOEXEC) as u64;
    call(libc::SYS_openat, [libc::AT_FDCWD as u64, path, flags, 0, 0, 0])
}

/// Writes `pieces` to the memory that is open as `file`; 0, or a negative `errno`.
///
/// # Safety
/// The memory may be changed, byte after byte.
pub unsafe fn write_to_memory(call: &impl Fn(i64, [u64; 6]) -> i64, file: i32, pieces: &[Piece]) -> isize {
    let written = pieces.iter().all(|Piece { address, bytes }| {
        let length = bytes.len() as u64;
        let arguments = [file as u64, bytes.as_ptr() as u64, length, *address, 0, 0];
        call(libc::SYS_pwrite64, arguments) == length as i64
    });
    if written { 0 } else { -libc::EIO as isize }
}
