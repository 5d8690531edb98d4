//! The process itself: its end, its ids, its personality.

use super::{decided, generic};
use crate::thread::{self, Thread};
use crate::{check, kernel, log, playback, process};
use core::sync::atomic::Ordering;
use kmod_shim::arch::native::frame::Frame;
use tracer_core::event::Kind;
use tracer_core::session::{Mode, slot_state};
use tracer_core::syscalls::Syscall;

/// exit and exit_group: logged before, because nothing comes after.
pub fn exit(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    let arguments = frame.arguments();
    check::check(thread, frame);
    thread.items.clear();
    match process::get().mode {
        Mode::Record => log::call(thread, Kind::Entry, syscall, &arguments, 0, 0),
        Mode::Replay => {
            let outcome = playback::outcome(thread, Kind::Entry, syscall, &arguments);
            playback::items(thread, syscall, outcome.items, generic::ignore_item);
        }
    }
    finish(thread);
    loop {
        // SAFETY: nothing of the program runs on this thread any more.
        unsafe {
            kmod_shim::arch::native::raw::call(syscall.number as i64, [arguments[0], 0, 0, 0, 0, 0]);
        }
    }
}

/// Tells the companion that this thread's stream is complete and the process about to end.
pub fn finish(thread: &mut Thread) {
    let control = process::control();
    control.slots[thread.slot].state.store(slot_state::FINISHED, Ordering::Release);
    control.live_processes.fetch_sub(1, Ordering::Relaxed);
    thread::wake_companion();
}

/// set_tid_address(2): the word is ours to clear, so that its change has a place in the order.
pub fn set_tid_address(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    decided(thread, frame, syscall, |thread, arguments| {
        thread.clear_tid = arguments[0];
        thread.id as i64
    });
}

/// personality(2): the program does not see that we turned address randomisation off.
pub fn personality(thread: &mut Thread, frame: &mut Frame, syscall: &'static Syscall) {
    const ADDR_NO_RANDOMIZE: u64 = 0x004_0000;
    let arguments = frame.arguments();
    if process::get().mode == Mode::Replay {
        generic::emulate(thread, frame, syscall);
        return;
    }
    let query = arguments[0] as u32 == u32::MAX;
    let wanted = if query { arguments[0] } else { arguments[0] | ADDR_NO_RANDOMIZE };
    // SAFETY: personality touches no memory.
    let result =
        unsafe { kernel::call(libc::SYS_personality, [wanted, 0, 0, 0, 0, 0]) }.map(|now| now & !ADDR_NO_RANDOMIZE);
    let result = result.map_or_else(|error| -error as i64, |now| now as i64);
    super::conclude(thread, frame, syscall, &arguments, result, 0);
}
