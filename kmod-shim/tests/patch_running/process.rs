//! The test process itself as the program to be rewritten.

use std::ops::Range;
use std::process::Command;

use kmod_shim::patch::eh_frame::Segment;
use kmod_shim::patch::kernel::{Kernel, Piece, write_as_debugger};
use kmod_shim::patch::object::Object;

/// System calls as they are, by way of libc: the test process is not recorded.
pub struct Direct;

impl Kernel for Direct {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        // SAFETY: the rewriter asks for fresh memory only (MAP_FIXED_NOREPLACE).
        let result =
            unsafe { libc::mmap(address as *mut libc::c_void, length as usize, protection, flags, -1, 0) };
        if result == libc::MAP_FAILED { negative_errno() } else { result as isize }
    }

    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize {
        // SAFETY: the caller says that the memory can bear it.
        match unsafe { libc::mprotect(address as *mut libc::c_void, length as usize, protection) } {
            0 => 0,
            _ => negative_errno(),
        }
    }

    unsafe fn write(&self, pieces: &[Piece]) -> isize {
        let call = |number, [a, b, c, d, e, f]: [u64; 6]| {
            // SAFETY: the calls open, write and close a file; the caller says that the memory may be changed.
            match unsafe { libc::syscall(number, a, b, c, d, e, f) } {
                -1 => negative_errno() as i64,
                result => result,
            }
        };
        // SAFETY: as above.
        unsafe { write_as_debugger(call, pieces) }
    }
}

/// The same where /proc/thread-self/mem cannot be written.
pub struct WithoutProc;

impl Kernel for WithoutProc {
    fn map(&self, address: u64, length: u64, protection: i32, flags: i32) -> isize {
        Direct.map(address, length, protection, flags)
    }

    unsafe fn protect(&self, address: u64, length: u64, protection: i32) -> isize {
        // SAFETY: the caller says that the memory can bear it.
        unsafe { Direct.protect(address, length, protection) }
    }
}

fn negative_errno() -> isize {
    -(std::io::Error::last_os_error().raw_os_error().expect("an errno") as isize)
}

/// One line of /proc/self/maps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// The addresses.
    pub range: Range<u64>,
    /// As the kernel writes it: `r-xp`.
    pub protection: String,
    /// The file, or `[vdso]` and the like.
    pub name: String,
}

/// What is mapped now.
pub fn mappings() -> Vec<Mapping> {
    let text = std::fs::read_to_string("/proc/self/maps").expect("/proc/self/maps");
    let parse = |line: &str| {
        let mut fields = line.split_whitespace();
        let (start, end) = fields.next()?.split_once('-')?;
        let number = |text| u64::from_str_radix(text, 16).ok();
        Some(Mapping {
            range: number(start)?..number(end)?,
            protection: fields.next()?.to_owned(),
            name: fields.nth(3).unwrap_or_default().to_owned(),
        })
    };
    text.lines().filter_map(parse).collect()
}

/// The mapping that contains `address`.
pub fn mapping_of(address: u64) -> Mapping {
    mappings().into_iter().find(|mapping| mapping.range.contains(&address)).expect("a mapping")
}

/// The object of this process whose code contains `address`.
pub fn object_containing(address: u64) -> Object {
    let name = mapping_of(address).name;
    let start = mappings().into_iter().find(|mapping| mapping.name == name).expect("a mapping").range;
    // SAFETY: an object's first mapping is readable and stays: nothing is unloaded in these tests.
    let bytes =
        unsafe { std::slice::from_raw_parts(start.start as *const u8, (start.end - start.start) as usize) };
    Object::read(&Segment { address: start.start, bytes }, address).expect("the program headers")
}

/// The memory of a loaded segment, copied.
pub fn copy(range: &Range<u64>) -> Vec<u8> {
    // SAFETY: the segments of a loaded object are readable.
    unsafe { std::slice::from_raw_parts(range.start as *const u8, (range.end - range.start) as usize) }
        .to_vec()
}

/// Runs `work`, which is all of `test`, in a process of its own, where it may change code that the other tests' threads
/// run too. Its one thread is forked from a process that runs no other test: a child of this one could wait for ever for a lock
/// that one of those threads has, or find memory in the middle of their changes.
pub fn alone(test: &str, work: impl FnOnce()) {
    const ALONE: &str = "IMITATE_TEST_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return in_child(work);
    }
    let mut process = Command::new(std::env::current_exe().expect("this program"));
    let output = process.args(["--exact", test, "--test-threads=1"]).env(ALONE, "1").output();
    let output = output.expect("a process");
    let printed = String::from_utf8_lossy(&output.stdout);
    let passed = output.status.success() && printed.contains("1 passed");
    assert!(passed, "{}: {printed}{}", output.status, String::from_utf8_lossy(&output.stderr));
}

/// Runs `work` in a forked child; panics in it fail the test.
fn in_child(work: impl FnOnce()) {
    // SAFETY: glibc makes its allocator usable in the child, and the one other thread here waits for the test's result.
    let child = unsafe { libc::fork() };
    assert!(child >= 0, "fork: {}", std::io::Error::last_os_error());
    if child == 0 {
        // A child that waits for something that a mistake keeps from happening is ended.
        // SAFETY: asks for a signal, whose default action ends the process.
        unsafe { libc::alarm(60) };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: ends the child at once, without the parent's exit handlers.
        unsafe { libc::_exit(if outcome.is_ok() { 0 } else { 1 }) };
    }
    let mut status = 0;
    // SAFETY: waits for our own child; the status is ours.
    let waited = unsafe { libc::waitpid(child, &raw mut status, 0) };
    assert_eq!((waited, status), (child, 0), "the child failed (wait status {status:#x})");
}
