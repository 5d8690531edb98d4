//! The breakpoint in the program's code: where it is put, and how it is taken away.

use super::{AGAIN, CRAMPED, Purpose, REACH, REACH_OF_EXIT, Stage, recorder};
use crate::stop::guard::{Allowed, Found, Guard};
use crate::stop::{code, diversion};
use crate::{kernel, order, process};
use kmod_shim::arch::native::signal_frame::MachineContext;
use kmod_shim::stop::place::Surroundings;
use kmod_shim::stop::trampoline::BREAKPOINT;

/// Puts a breakpoint where the thread will soon be; gives the time in which it should come there.
pub(super) fn place(machine: &MachineContext) -> Option<u64> {
    let here = Surroundings::read(&code::read, machine.rip);
    if order::is_chaotic() {
        // Between any two: the exit of a loop is the least harmful moment.
        let address = here.any(&code::read, kernel::microseconds() as usize)?;
        return put(address, first_purpose()).then_some(REACH[0]);
    }
    let outside = || Surroundings::read(&code::read, here.behind_loop(&code::read)?).next(&code::read);
    let inside = || here.inside(&code::read);
    let around = || here.around(&code::read);
    let next = || here.next(&code::read);
    let (address, patience) = match recorder().attempts {
        0 => match outside() {
            Some(exit) if recorder().asked => (Some(exit), REACH_OF_EXIT),
            exit => (exit.or_else(inside).or_else(around), REACH[0]),
        },
        1 => (inside().or_else(around), REACH[1]),
        2 => (next().or_else(around), REACH[1]),
        _ => (next().or_else(|| here.first(&code::read)), REACH[1]),
    };
    if address.is_none() && recorder().cramped < CRAMPED {
        recorder().cramped += 1;
        return Some(AGAIN);
    }
    recorder().attempts += 1;
    let address = address.or_else(|| here.first(&code::read))?;
    put(address, first_purpose()).then_some(patience)
}

/// What a newly chosen place is for.
pub(super) fn first_purpose() -> Purpose {
    // Chaos stops threads often, and looking takes as long as stopping.
    if recorder().looked || order::is_chaotic() { Purpose::Stop } else { Purpose::Look }
}

/// Puts a breakpoint where the thread may be stopped; false if it cannot be there, or a stop could not be found again.
pub(super) fn put(address: u64, purpose: Purpose) -> bool {
    diversion::can_be_watched(address) && put_again(address, purpose)
}

/// The same where a stop was found possible, or where there will be none.
pub(super) fn put_again(address: u64, purpose: Purpose) -> bool {
    let Found::Code(mut guard) = Guard::over(address) else { return false };
    let mut original = [0];
    let can_be = code::read(address, &mut original) == 1 && guard.allow(Allowed::Execution);
    // SAFETY: the program is stopped; a breakpoint at the start of an instruction changes no other.
    let written = can_be && unsafe { code::write(address, &[BREAKPOINT]) };
    if written {
        recorder().stage = Stage::Placed { address, original: original[0], purpose };
        recorder().guard = guard;
    } else {
        guard.allow(Allowed::All);
    }
    written
}

/// Takes the breakpoint, if there is one, out of the program's code.
pub(super) fn withdraw() {
    let recorder = recorder();
    if let Stage::Placed { address, original, .. } = recorder.stage {
        let mut present = [0];
        // A compiler may have put other code there since.
        let is_ours = code::read(address, &mut present) == 1 && present == [BREAKPOINT];
        let given_back = recorder.guard.allow(Allowed::All);
        // SAFETY: the program is stopped, and the byte is the one that was there.
        if !given_back || is_ours && !unsafe { code::write(address, &[original]) } {
            // It could be written a moment ago. The program would run into it.
            process::end_recording(b"a breakpoint cannot be removed");
        }
        recorder.stage = Stage::Waiting;
    }
}
