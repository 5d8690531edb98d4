//! Views of the session's memory.

use std::io;
use std::ops::Deref;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr;
use std::sync::atomic::Ordering;

use crate::session::{CONTROL_SIZE, Control, RING_SIZE, SLOTS, ring_offset, slot_state};

/// The session's [`Control`], mapped for as long as this value lives.
pub struct ControlMapping {
    control: ptr::NonNull<Control>,
}

// SAFETY: the memory is shared between processes anyway; all of it is atomics except the report, whose owner
// is settled through `report_state`.
unsafe impl Send for ControlMapping {}
// SAFETY: as above.
unsafe impl Sync for ControlMapping {}

impl ControlMapping {
    /// Maps the control region of the session behind `memory`.
    pub fn new(memory: BorrowedFd) -> io::Result<ControlMapping> {
        // SAFETY: a new mapping at an address of the kernel's choosing disturbs nothing.
        let address = unsafe {
            libc::mmap(
                ptr::null_mut(),
                CONTROL_SIZE,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                memory.as_raw_fd(),
                0,
            )
        };
        if address == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let control = ptr::NonNull::new(address.cast()).ok_or(io::ErrorKind::InvalidData)?;
        Ok(ControlMapping { control })
    }
}

impl Deref for ControlMapping {
    type Target = Control;

    fn deref(&self) -> &Control {
        // SAFETY: mapped until drop, page-aligned, and any bytes are a valid `Control`.
        unsafe { self.control.as_ref() }
    }
}

impl Drop for ControlMapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is ours alone and no reference outlives self.
        unsafe { libc::munmap(self.control.as_ptr().cast(), CONTROL_SIZE) };
    }
}

/// One slot's ring, mapped twice in a row for as long as this value lives.
pub struct RingMapping {
    base: *mut u8,
}

// SAFETY: an address range of shared memory; who may touch which bytes is the ring's protocol.
unsafe impl Send for RingMapping {}

impl RingMapping {
    /// Maps the ring of slot number `slot` of the session behind `memory`.
    pub fn new(memory: BorrowedFd, slot: usize) -> io::Result<RingMapping> {
        if slot >= SLOTS {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, format!("slot {slot} of {SLOTS}")));
        }
        // The range first, so that both halves land in a row and nothing of others is replaced.
        // SAFETY: a new mapping at an address of the kernel's choosing disturbs nothing.
        let base = unsafe {
            libc::mmap(
                ptr::null_mut(),
                2 * RING_SIZE,
                libc::PROT_NONE,
                libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE,
                -1,
                0,
            )
        };
        if base == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let mapping = RingMapping { base: base.cast() };
        for half in 0..2 {
            // SAFETY: replaces half of the range that was just reserved for this.
            let address = unsafe {
                libc::mmap(
                    mapping.base.add(half * RING_SIZE).cast(),
                    RING_SIZE,
                    libc::PROT_READ | libc::PROT_WRITE,
                    libc::MAP_SHARED | libc::MAP_FIXED,
                    memory.as_raw_fd(),
                    ring_offset(slot) as libc::off_t,
                )
            };
            if address == libc::MAP_FAILED {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(mapping)
    }

    /// Where the first of the two copies begins; `2 * RING_SIZE` bytes are readable and writable.
    pub fn base(&self) -> *mut u8 {
        self.base
    }
}

impl Drop for RingMapping {
    fn drop(&mut self) {
        // SAFETY: the range is ours alone; users of `base` had to stop before.
        unsafe { libc::munmap(self.base.cast(), 2 * RING_SIZE) };
    }
}

/// Bytes of a free slot's ring that keep their memory, for the next stream: most are short.
const KEPT: usize = 64 << 10;

/// Makes slot number `index` free for another stream, and gives its ring's memory back to the system, but for what the
/// next one will need anyway.
///
/// To be called by the companion, when the slot's owner and the companion are done with it.
pub fn free_slot(memory: BorrowedFd, control: &Control, index: usize) {
    let slot = &control.slots[index];
    if slot.head.0.load(Ordering::Acquire) > KEPT as u64 {
        // Only memory is lost if this fails; what the ring holds is never read again.
        // SAFETY: frees pages of a ring that nobody uses.
        unsafe {
            libc::fallocate(
                memory.as_raw_fd(),
                libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
                (ring_offset(index) + KEPT) as libc::off_t,
                (RING_SIZE - KEPT) as libc::off_t,
            )
        };
    }
    for word in [&slot.stream, &slot.process, &slot.thread, &slot.at_end, &slot.program_waits, &slot.parallel]
    {
        word.store(0, Ordering::Relaxed);
    }
    slot.head.0.store(0, Ordering::Relaxed);
    slot.tail.0.store(0, Ordering::Relaxed);
    slot.state.store(slot_state::FREE, Ordering::Release);
}
