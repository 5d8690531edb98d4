//! Recording with a list of hand-overs: those between two instructions, at the n-th passage of an instruction since the thread's
//! last hook ([`tracer_core::session::schedule`]).

use super::diversion::{Diversion, Met};
use super::guard::{Found, Guard};
use super::{is_stoppable, record};
use crate::order;
use crate::thread::Thread;
use core::cell::UnsafeCell;
use kmod_shim::arch::native::signal_frame::UserContext;
use kmod_shim::stop::trampoline::{Condition, Source};

/// A place of the list that the thread that runs may come to.
struct Awaited {
    /// Which of the list.
    index: u32,
    /// At which passage of the instruction.
    passages: u64,
    /// Passages, where no trampoline counts them.
    trapped: u64,
    diversion: Diversion,
}

struct Holder(UnsafeCell<Option<Awaited>>);

// SAFETY: only the thread that has the right to run uses it, in hooks and when it has run into such a place.
unsafe impl Sync for Holder {}

static AWAITED: Holder = Holder(UnsafeCell::new(None));

#[allow(clippy::mut_from_ref)]
fn awaited() -> &'static mut Option<Awaited> {
    // SAFETY: see Holder; no reference is kept across a call that takes another.
    unsafe { &mut *AWAITED.0.get() }
}

/// The thread, which goes on in the program, has done with a hook, or will have when it has logged so many `more` events:
/// watches for the place of the list that comes next, if that is between two instructions.
#[cold]
pub fn look(thread: &mut Thread, more: u64) {
    forget();
    if is_stoppable(thread)
        && let Some((index, address, passages)) = order::next_stop(thread, more)
    {
        *awaited() = watch(index, address, passages);
    }
}

fn watch(index: u32, address: u64, passages: u64) -> Option<Awaited> {
    // What the program can write is left alone.
    let is_fixed = matches!(Guard::over(address), Found::Code(guard) if !guard.may_change);
    // The trampoline compares 32 bits.
    let condition = u32::try_from(passages).ok().filter(|_| is_fixed && passages > 0)?;
    let mut diversion = Diversion::at(address, true)?;
    let changed = if diversion.room.has_jump() {
        let source = Source::Memory { address: diversion.counter() };
        diversion.compare(&[Condition { source, value: condition }]) == Ok(true)
    } else {
        diversion.change()
    };
    if !changed {
        // Nothing leads to it.
        diversion.unmap();
        return None;
    }
    Some(Awaited { index, passages, trapped: 0, diversion })
}

/// The place is not watched any more: the thread comes to a hook, or is interrupted outside of what is ours.
pub fn forget() {
    if let Some(mut awaited) = awaited().take() {
        // Code that nobody can write has not been written.
        awaited.diversion.restore();
        awaited.diversion.unmap();
    }
}

/// Whether a place is watched for.
pub fn is_awaited() -> bool {
    awaited().is_some()
}

/// Whether `address` is in code of ours that the thread executes instead of the program's.
pub fn is_ours(address: u64) -> bool {
    awaited().as_ref().is_some_and(|awaited| awaited.diversion.mapping().contains(&address))
}

/// The same as a place in the program's code, as far as an instruction of that can fault there.
pub fn original(address: u64) -> u64 {
    awaited().as_ref().map_or(address, |awaited| awaited.diversion.original(address))
}

/// An instruction has raised SIGILL. True if that was our doing.
pub fn trapped(thread: &mut Thread, context: &mut UserContext) -> bool {
    let Some(here) = awaited().as_mut() else { return false };
    let machine = &mut context.machine;
    match here.diversion.met(machine.rip) {
        Met::Nothing => return false,
        Met::Inner(copy) => machine.rip = copy,
        Met::Place => {
            here.trapped += 1;
            if !here.diversion.jumps && here.trapped < here.passages {
                machine.rip = here.diversion.behind();
                return true;
            }
            machine.rip = here.diversion.room.address;
            let index = here.index;
            forget();
            if order::hands_over_at_stop(thread, index) {
                record::stop_here(thread, context);
            }
            look(thread, 0);
        }
    }
    true
}
