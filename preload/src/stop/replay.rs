//! Replay: finding the moment at which the recording was stopped.
//!
//! While the next event is such a signal, passages of its address are watched: first with an instruction that traps, then,
//! where there is room, with a jump to a comparison of the words that told earlier passages from the recorded
//! one. The event stays where it is until the moment is found, so a program that comes to a safepoint instead
//! is reported there, like any divergence.

use super::diversion::{Diversion, Met, can_be_watched};
use super::guard::{Allowed, Found, Guard};
use super::overdue::Search;
use super::snapshot::Snapshot;
use super::{Spin, as_interrupted, code, deliver_here, hand_over, is_stoppable, timer, without_changes};
use crate::signals::{Information, deliver, fault::flags};
use crate::thread::{self, ProgramWait, Thread};
use crate::{debugger, divergence, kernel, playback, watch};
use core::cell::UnsafeCell;
use kmod_shim::arch::native::signal_frame::{Access, MachineContext, UserContext};
use kmod_shim::stop::place::Surroundings;
use kmod_shim::stop::trampoline::{self, CONDITIONS, Condition};
use tracer_core::event::{Header, ItemHeader, Kind, Tag};

/// Passages with the trap before the jump takes its place: often the first is the moment already.
const PASSAGES: u32 = 2;

/// Passages that differ from the moment in nothing that can be compared quickly. Each takes a look at all memory, and a
/// spin that the recorded thread was stopped in has one.
const MOST_OTHERS: u32 = 20_000;

/// The flag that makes the processor trap after an instruction.
const TRAP: u64 = 0x100;

/// How often in a row the program may write to the page while the instructions there stay what the recorded thread was
/// stopped in. Then it writes data, perhaps a million times until the stop, and a fault takes some microseconds.
const MOST_WRITES: u32 = 1000;

/// A stop that is being looked for.
struct Watch {
    diversion: Diversion,
    conditions: [Condition; CONDITIONS],
    condition_count: usize,
    /// Which condition the next one replaces when there is no room for more.
    replaced: usize,
    /// Passages that came to us.
    passages: u32,
    /// Passages since the thread's last hook that no trampoline has counted.
    trapped: u64,
    /// Those at which nothing but a hash of all memory was different.
    others: u32,
}

impl Watch {
    fn conditions(&self) -> &[Condition] {
        &self.conditions[..self.condition_count]
    }
}

struct Player {
    /// The next event is a stop, or the debugger wants one before it.
    awaited: bool,
    /// It is the debugger's.
    is_debuggers: bool,
    /// How it is looked for, once its place has had the code that was there.
    watch: Option<Watch>,
    guard: Guard,
    /// The thread executes one instruction, which writes to the page that it is in.
    steps: bool,
    /// How often the page was written without a change of the instructions.
    writes: u32,
    search: Search,
    snapshot: Snapshot,
}

struct Holder(UnsafeCell<Player>);

// SAFETY: only the thread that has the right to run uses it, at safepoints and when it has run into a watched place.
unsafe impl Sync for Holder {}

static PLAYER: Holder = Holder(UnsafeCell::new(Player {
    awaited: false,
    is_debuggers: false,
    watch: None,
    guard: Guard::NONE,
    steps: false,
    writes: 0,
    search: Search::NONE,
    snapshot: Snapshot::EMPTY,
}));

#[allow(clippy::mut_from_ref)]
fn player() -> &'static mut Player {
    // SAFETY: see Holder; no reference is kept across a call that takes another.
    unsafe { &mut *PLAYER.0.get() }
}

fn is_stop(header: &Header) -> bool {
    header.kind == Kind::Stop as u8 || header.kind == Kind::Signal as u8 && header.flags & flags::STOP != 0
}

/// If the next event is a stop, watches for it.
#[inline]
pub fn look(thread: &mut Thread) {
    if is_stoppable(thread) {
        let next = playback::peek(thread);
        debugger::note(thread);
        if player().awaited {
            // A hook that is no event.
            return count_anew();
        }
        if debugger::is_on() && debugger::wants_stop(thread) {
            watch_for_debugger(thread);
        } else if next.is_some_and(|next| is_stop(&next)) {
            await_stop(thread);
        }
    }
}

/// Passages are counted from here on.
fn count_anew() {
    if let Some(watch) = player().watch.as_mut() {
        watch.trapped = 0;
        watch.diversion.reset_count();
    }
}

/// Watches for the state that the debugger wants the thread to stop in.
#[cold]
fn watch_for_debugger(thread: &mut Thread) {
    if debugger::read_state(&mut player().snapshot) {
        player().is_debuggers = true;
        let address = player().snapshot.address();
        if can_be_watched(address) {
            begin(thread);
        } else {
            player().awaited = true;
            debugger::watch_state(address);
        }
    }
}

/// The thread comes to an instruction of which the processor tells.
pub fn passes(thread: &mut Thread, machine: &mut MachineContext) {
    let Player { is_debuggers, snapshot, .. } = player();
    if *is_debuggers && snapshot.difference(machine, 0..0).is_none() && snapshot.is_equal(machine, 0..0) {
        found(thread, machine);
    }
}

/// The thread comes to a safepoint. True if the debugger wanted it to stop before: that was in vain then.
pub fn abandon() -> bool {
    let abandons = core::mem::take(&mut player().is_debuggers);
    if abandons {
        give_way();
        end_watch();
    }
    abandons
}

/// The program's state where it is, in `snapshot`. False if it cannot be identified.
pub fn take_state(thread: &mut Thread, machine: &mut MachineContext, snapshot: &mut Snapshot) -> bool {
    as_interrupted(machine);
    let hidden = player().watch.as_ref().map_or(0..0, |watch| watch.diversion.mapping());
    without_changes(thread, || {
        let here = Surroundings::read(&code::read, machine.rip);
        snapshot.take_again(machine, here.relative_operands(&code::read), hidden)
    })
}

#[cold]
fn await_stop(thread: &mut Thread) {
    if !read_snapshot(thread) {
        divergence::damaged(thread, b"a stop between two instructions has no state");
    }
    begin(thread);
}

/// Looks for the state in the snapshot.
fn begin(thread: &mut Thread) {
    player().awaited = true;
    player().writes = 0;
    player().search = Search::begin(thread);
    settle(thread);
}

/// Looks at who can write the code at the place of the stop, and puts the change there if that is the code already.
pub fn settle(thread: &mut Thread) {
    if !player().awaited {
        return;
    }
    match Guard::over(player().snapshot.address()) {
        Found::Code(guard) => {
            player().guard = guard;
            arm(thread);
        }
        // It will be after a fault.
        Found::NotExecutable => player().guard = Guard::NONE,
        Found::Shared => unwatchable(thread),
    }
}

/// Takes the change out, and gives the program its rights back.
pub fn give_way() {
    let Player { watch, guard, .. } = player();
    let restored = watch.as_mut().is_none_or(|watch| watch.diversion.restore());
    if !guard.allow(Allowed::All) || !restored {
        unwatchable(thread::current());
    }
}

fn unwatchable(thread: &mut Thread) -> ! {
    divergence::impossible(thread, "watch", b"the instruction at which the thread was stopped", libc::EACCES)
}

/// The program executes the page from now on, and does not write it. If it is what it was when the recorded thread
/// was stopped, the thread may come to that moment now; as long as it is anything else, it cannot.
fn arm(thread: &mut Thread) {
    let Player { watch, guard, writes, snapshot, .. } = player();
    if !guard.allow(Allowed::Execution) {
        unwatchable(thread);
    }
    if guard.may_change {
        *writes = if snapshot.has_same_instructions() { *writes + 1 } else { 0 };
        if *writes > MOST_WRITES && guard.allow(Allowed::All) {
            *guard = Guard::NONE;
        } else if !snapshot.has_same_code() {
            return;
        }
    }
    let changed = match watch {
        Some(watch) => {
            debugger::note_stop(snapshot.registers());
            watch.diversion.change()
        }
        None => prepare(thread, snapshot.address()),
    };
    if !changed {
        unwatchable(thread);
    }
}

/// A page fault: see [`super::refused`].
pub fn refused(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    let Player { watch, guard, steps, .. } = player();
    match guard.refused(machine) {
        None => return false,
        Some(Access::Execute) => arm(thread),
        Some(_) => {
            if let Some(watch) = watch
                && watch.diversion.in_place
            {
                // What follows it may be other instructions from here on.
                machine.rip = watch.diversion.original(machine.rip);
            }
            give_way();
            if guard.has_code(machine.rip) {
                *steps = true;
                machine.rflags |= TRAP;
            } else if !guard.allow(Allowed::Writing) {
                unwatchable(thread);
            }
        }
    }
    true
}

/// If the thread has executed, or tried to execute, one instruction for us: that is over.
pub fn end_step(thread: &mut Thread, machine: &mut MachineContext) -> bool {
    let steps = core::mem::take(&mut player().steps);
    if steps {
        machine.rflags &= !TRAP;
        arm(thread);
    }
    steps
}

/// Where in the program's code `address` is, if it is in what has taken its place.
pub fn original(address: u64) -> u64 {
    let watch = player().watch.as_ref();
    watch.map_or(address, |watch| watch.diversion.original(address))
}

/// Whether there is memory of ours at `address` that belongs to a change of the program's code.
pub fn is_ours(address: u64) -> bool {
    player().watch.as_ref().is_some_and(|watch| watch.diversion.mapping().contains(&address))
}

/// The timer has expired.
pub fn overdue(thread: &mut Thread) {
    let Player { awaited, watch, search, snapshot, .. } = player();
    if *awaited && is_stoppable(thread) {
        let traps = watch.as_ref().is_some_and(|watch| !watch.diversion.room.has_jump());
        if let Some(seconds) = search.look(thread, snapshot.time(), snapshot.address(), traps) {
            divergence::state_not_reached(thread, snapshot.address(), seconds);
        }
    }
}

/// Prepares the change at `address`, and puts it there. False if the code cannot be written.
fn prepare(thread: &mut Thread, address: u64) -> bool {
    let Some(diversion) = Diversion::at(address, watch::hand_overs_are_told()) else {
        divergence::impossible(
            thread,
            "watch",
            b"the instruction at which the thread was stopped",
            libc::ENOMEM,
        );
    };
    debugger::note_stop(player().snapshot.registers());
    let unused = Condition { source: trampoline::Source::Memory { address: 0 }, value: 0 };
    let watch = player().watch.insert(Watch {
        diversion,
        conditions: [unused; CONDITIONS],
        condition_count: 0,
        replaced: 0,
        passages: 0,
        trapped: 0,
        others: 0,
    });
    watch.diversion.change()
}

/// Copies the state from the event whose header was looked at, leaving the event in place.
fn read_snapshot(thread: &mut Thread) -> bool {
    let Some(header) = thread.next else { return false };
    let length = header.length as usize;
    if length > tracer_core::session::RING_SIZE / 4 {
        return false;
    }
    let Some(body) = thread.consumer.peek(length, &ProgramWait) else { divergence::ends_early(thread) };
    // SAFETY: peek gave so many readable bytes of our ring, which stay until they are consumed.
    let mut rest = unsafe { core::slice::from_raw_parts(body, length) };
    while let Some((item, behind)) = rest.split_first_chunk() {
        let item = ItemHeader::from_bytes(*item);
        let Some(data) = behind.get(..item.length as usize) else { return false };
        if item.tag == Tag::State as u8 {
            return player().snapshot.read(data);
        }
        rest = rest.get(item.stored_size()..).unwrap_or_default();
    }
    false
}

/// An instruction of the program, or of a trampoline, has raised SIGILL. True if that was our doing.
pub fn trapped(thread: &mut Thread, context: &mut UserContext) -> bool {
    let Some(watch) = player().watch.as_ref() else { return false };
    let machine = &mut context.machine;
    let is_first = watch.diversion.in_place && machine.rip == watch.diversion.room.address;
    if is_first && debugger::compares() {
        compare(thread, machine);
        return true;
    }
    match watch.diversion.met(machine.rip) {
        Met::Place => {
            machine.rip = watch.diversion.room.address;
            passage(thread, machine);
        }
        Met::Inner(copy) => machine.rip = copy,
        Met::Nothing => return false,
    }
    true
}

/// A debugger, which has taken the change out, steps through the code, and has put a trap there instead. It expects that the
/// thread goes on where it is.
fn compare(thread: &mut Thread, machine: &mut MachineContext) {
    let Player { watch, guard, snapshot, .. } = player();
    let Some(watch) = watch else { return };
    if !watch.diversion.put_back() || !guard.allow(Allowed::All) {
        unwatchable(thread);
    }
    let is_it =
        snapshot.difference(machine, 0..0).is_none() && snapshot.is_equal(machine, watch.diversion.mapping());
    if !is_it {
        if !guard.allow(Allowed::Execution) {
            unwatchable(thread);
        }
        return;
    }
    watch.diversion.restore();
    found(thread, machine);
    if let Some(next) = player().watch.as_ref().filter(|next| next.diversion.in_place) {
        // The debugger takes every change out.
        next.diversion.put_back();
    }
}

/// The thread is at the address, and so far nothing says that it is not the moment.
fn passage(thread: &mut Thread, machine: &mut MachineContext) {
    let Player { watch, guard, search, snapshot, .. } = player();
    let Some(watch) = watch else { return };
    watch.passages += 1;
    watch.trapped += u64::from(!watch.diversion.jumps);
    let written = match snapshot.difference(machine, watch.diversion.changed()) {
        Some(condition) => {
            add(watch, condition);
            true
        }
        None => {
            // The program's code may be in its writable memory, which is compared now.
            let restored = watch.diversion.restore() && guard.allow(Allowed::All);
            let began = kernel::microseconds();
            if restored && snapshot.is_equal(machine, watch.diversion.mapping()) {
                return found(thread, machine);
            }
            search.compared += kernel::microseconds() - began;
            watch.others += 1;
            if watch.others > MOST_OTHERS {
                divergence::no_such_state(thread, machine.rip);
            }
            restored && guard.allow(Allowed::Execution) && watch.diversion.change()
        }
    };
    let jumps = watch.diversion.room.has_jump() && watch.passages >= PASSAGES;
    if !written || jumps && !install(watch) {
        unwatchable(thread);
    }
    machine.rip = watch.diversion.behind();
}

/// Adds a word that tells this passage from the moment. It comes first: those that were there before did not.
fn add(watch: &mut Watch, condition: Condition) {
    let known = watch.condition_count;
    if watch.conditions().contains(&condition) {
        return;
    }
    if known < CONDITIONS {
        watch.conditions.copy_within(0..known, 1);
        watch.conditions[0] = condition;
        watch.condition_count += 1;
    } else {
        watch.conditions[watch.replaced] = condition;
        watch.replaced = (watch.replaced + 1) % CONDITIONS;
    }
}

/// Makes passages compare the conditions themselves.
fn install(watch: &mut Watch) -> bool {
    loop {
        let conditions = &watch.conditions[..watch.condition_count];
        match watch.diversion.compare(conditions) {
            Ok(written) => return written,
            // Too many for the room there is.
            Err(_) if watch.condition_count > 1 => watch.condition_count -= 1,
            Err(_) => return false,
        }
    }
}

/// Stops looking. The code is as it was.
fn end_watch() {
    player().awaited = false;
    debugger::forget_state();
    if let Some(watch) = player().watch.take() {
        watch.diversion.unmap();
    }
}

/// This is the moment. The code is as it was.
fn found(thread: &mut Thread, machine: &mut MachineContext) {
    if let Some(watch) = player().watch.as_ref() {
        watch::stops(thread, machine.rip, watch.trapped + watch.diversion.count());
    }
    end_watch();
    timer::set(thread, 0);
    as_interrupted(machine);
    if core::mem::take(&mut player().is_debuggers) {
        debugger::stop(thread, machine.rip);
        return look(thread);
    }
    let mut next = playback::take_if(thread, is_stop);
    while let Some(header) = next {
        if header.kind == Kind::Stop as u8 {
            playback::skip(thread, header.length as usize);
            hand_over(thread, machine, Spin::from_number(header.number));
            break;
        }
        let information: Information = deliver::logged_information(thread, &header);
        deliver_here(thread, header.number as i32, &information, machine);
        next = playback::take_if(thread, deliver::is_plain);
    }
    look(thread);
    if debugger::is_on() {
        debugger::stop_behind_stop(thread, machine);
    }
}

/// The thread passes the place, from which the debugger has taken our change, and was sent to us.
pub fn pass(thread: &mut Thread, machine: &mut MachineContext) {
    let Some(watch) = player().watch.as_mut() else { return };
    machine.rip = watch.diversion.room.address;
    if debugger::compares() {
        return compare(thread, machine);
    }
    if !watch.diversion.change() {
        unwatchable(thread);
    }
    passage(thread, machine);
}
