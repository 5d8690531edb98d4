//! Replay: finding the moment at which the recording was stopped.
//!
//! While the next event is such a signal, passages of its address are watched: first with an instruction that traps, then,
//! where there is room, with a jump to a comparison of the words that told earlier passages from the recorded
//! one. The event stays where it is until the moment is found, so a program that comes to a safepoint instead
//! is reported there, like any divergence.

use super::guard::{Allowed, Found, Guard};
use super::overdue::Search;
use super::snapshot::Snapshot;
use super::{Spin, as_interrupted, code, deliver_here, hand_over, is_stoppable, timer, without_changes};
use crate::signals::{Information, deliver, fault::flags};
use crate::thread::{self, ProgramWait, Thread};
use crate::{debugger, divergence, kernel, playback, process};
use core::cell::UnsafeCell;
use core::ops::Range;
use kmod_shim::arch::native::{
    raw,
    signal_frame::{Access, MachineContext, UserContext},
};
use kmod_shim::stop::place::{JUMP_LENGTH, Room, Surroundings};
use kmod_shim::stop::trampoline::{
    self, CONDITIONS, Condition, MAPPING_LENGTH, Trampoline, UNDEFINED, mapping_start,
};
use tracer_core::event::{Header, ItemHeader, Kind, Tag};
use tracer_core::session::Mode;

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
    room: Room,
    trampoline: Trampoline,
    conditions: [Condition; CONDITIONS],
    condition_count: usize,
    /// Which condition the next one replaces when there is no room for more.
    replaced: usize,
    /// Passages that came to us.
    passages: u32,
    /// Those at which nothing but a hash of all memory was different.
    others: u32,
    /// The change is a jump, not a trap.
    jumps: bool,
    /// The change is in the code.
    in_place: bool,
}

impl Watch {
    fn mapping(&self) -> Range<u64> {
        let start = mapping_start(self.trampoline.code.address());
        start..start + MAPPING_LENGTH
    }

    /// The code that is changed.
    fn changed(&self) -> Range<u64> {
        let length = if self.jumps { JUMP_LENGTH } else { 1 };
        self.room.address..self.room.address + length as u64
    }

    /// What the program has there.
    fn original(&self) -> &[u8] {
        &self.room.bytes[..if self.jumps { JUMP_LENGTH } else { 1 }]
    }

    /// The trap, in the first byte, or the jump.
    fn bytes(&self) -> Option<[u8; JUMP_LENGTH]> {
        if self.jumps {
            trampoline::entry(&self.room, self.trampoline.code.address()).ok()
        } else {
            Some([UNDEFINED; JUMP_LENGTH])
        }
    }

    /// Where the instruction at `address` is executed if not there. The first one is met there in any case.
    fn copy(&self, address: u64) -> Option<u64> {
        self.trampoline.moved(address).filter(|_| address != self.room.address)
    }

    /// Puts the trap or the jump into the code.
    fn change(&mut self) -> bool {
        let length = if self.jumps { JUMP_LENGTH } else { 1 };
        let Some(bytes) = self.bytes() else { return false };
        self.in_place = true;
        debugger::code_changed(self.room.address, &self.room.bytes[..length], &bytes[..length]);
        debugger::code_moved(&|address| self.copy(address));
        // SAFETY: the program is stopped, and a trap changes one instruction. Where it is a jump: the thread is at
        // the first of the instructions that are changed, and goes on in the trampoline; branches to the others
        // meet bytes that trap, or are what they were.
        unsafe { code::write(self.room.address, &bytes[..length]) }
    }

    /// Gives the code its own bytes back. False if it has been written meanwhile.
    fn restore(&mut self) -> bool {
        if !core::mem::take(&mut self.in_place) {
            return true;
        }
        let length = if self.jumps { JUMP_LENGTH } else { 1 };
        debugger::code_changed(self.room.address, &[], &[]);
        debugger::code_moved(&|_| None);
        let Some(ours) = self.bytes() else { return false };
        let mut present = [0; JUMP_LENGTH];
        let known = code::read(self.room.address, &mut present[..length]) == length;
        if known && present[..length] == self.room.bytes[..length] {
            // A debugger has taken the change out.
            return true;
        }
        if !known || present[..length] != ours[..length] {
            // The guard was given up ([`MOST_WRITES`]), but the program does write code there.
            return false;
        }
        // SAFETY: the thread is at the first of the instructions, or not near them.
        unsafe { code::write(self.room.address, &self.room.bytes[..length]) }
    }

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

/// If the next event is a stop, watches for it. To be called after every event.
#[inline]
pub fn look(thread: &mut Thread) {
    if process::get().mode == Mode::Replay && is_stoppable(thread) {
        let next = playback::peek(thread);
        debugger::note(thread);
        if player().awaited {
            return;
        }
        if debugger::is_on() && debugger::wants_stop(thread) {
            watch_for_debugger(thread);
        } else if next.is_some_and(|next| is_stop(&next)) {
            watch(thread);
        }
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
    let hidden = player().watch.as_ref().map_or(0..0, Watch::mapping);
    without_changes(thread, || {
        let here = Surroundings::read(&code::read, machine.rip);
        snapshot.take_again(machine, here.relative_operands(&code::read), hidden)
    })
}

#[cold]
fn watch(thread: &mut Thread) {
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
    let restored = watch.as_mut().is_none_or(Watch::restore);
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
            watch.change()
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
                && watch.in_place
            {
                // What follows it may be other instructions from here on.
                machine.rip = watch.trampoline.original(machine.rip).unwrap_or(machine.rip);
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
    watch.and_then(|watch| watch.trampoline.original(address)).unwrap_or(address)
}

/// Whether there is memory of ours at `address` that belongs to a change of the program's code.
pub fn is_ours(address: u64) -> bool {
    player().watch.as_ref().is_some_and(|watch| watch.mapping().contains(&address))
}

/// The timer has expired.
pub fn overdue(thread: &mut Thread) {
    let Player { awaited, watch, search, snapshot, .. } = player();
    if *awaited && is_stoppable(thread) {
        let traps = watch.as_ref().is_some_and(|watch| !watch.room.has_jump());
        if let Some(seconds) = search.look(thread, snapshot.time(), snapshot.address(), traps) {
            divergence::state_not_reached(thread, snapshot.address(), seconds);
        }
    }
}

/// Prepares the change at `address`, and puts it there. False if the code cannot be written.
fn prepare(thread: &mut Thread, address: u64) -> bool {
    let prepared = Room::at(&code::read, address).and_then(|room| Some((room, map(&room)?)));
    let Some((room, trampoline)) = prepared else {
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
        room,
        trampoline,
        conditions: [unused; CONDITIONS],
        condition_count: 0,
        replaced: 0,
        passages: 0,
        others: 0,
        jumps: false,
        in_place: false,
    });
    watch.change()
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

/// Maps a trampoline for `room`, without conditions, at the first place where one can be.
fn map(room: &Room) -> Option<Trampoline> {
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    for address in trampoline::candidates(room) {
        let Ok(trampoline) = trampoline::compose(room, address, &[]) else { continue };
        let start = mapping_start(address) as usize;
        let anonymous = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS;
        if kernel::map(start, MAPPING_LENGTH as usize, writable, anonymous, -1, 0).is_err() {
            continue;
        }
        let executable = (libc::PROT_READ | libc::PROT_EXEC) as u64;
        let code_length = MAPPING_LENGTH - 4096;
        // SAFETY: the mapping was just made, by us and for this.
        let written = unsafe {
            let protected = raw::call(libc::SYS_mprotect, [start as u64, code_length, executable, 0, 0, 0]);
            protected == 0 && code::write(address, trampoline.code.bytes())
        };
        return written.then_some(trampoline);
    }
    None
}

/// Whether replay, which has the same address space, will be able to watch the instruction at `address`.
pub fn can_be_watched(address: u64) -> bool {
    let Some(trampoline) = Room::at(&code::read, address).and_then(|room| map(&room)) else { return false };
    let start = mapping_start(trampoline.code.address());
    // SAFETY: the mapping was just made, by us, and nothing leads to it.
    unsafe { raw::call(libc::SYS_munmap, [start, MAPPING_LENGTH, 0, 0, 0, 0]) };
    true
}

/// An instruction of the program, or of a trampoline, has raised SIGILL. True if that was our doing.
pub fn trapped(thread: &mut Thread, context: &mut UserContext) -> bool {
    let Some(watch) = player().watch.as_mut().filter(|watch| watch.in_place) else { return false };
    let machine = &mut context.machine;
    let at = machine.rip;
    if at == watch.room.address && debugger::compares() {
        compare(thread, machine);
        return true;
    }
    let watched = if watch.jumps { watch.trampoline.equal } else { watch.room.address };
    if at == watched {
        machine.rip = watch.room.address;
        passage(thread, machine);
        return true;
    }
    if watch.jumps
        && watch.room.inner().any(|inner| inner == at)
        && let Some(copy) = watch.trampoline.moved(at)
    {
        machine.rip = copy;
        return true;
    }
    false
}

/// A debugger, which has taken the change out, steps through the code, and has put a trap there instead. It expects that the
/// thread goes on where it is.
fn compare(thread: &mut Thread, machine: &mut MachineContext) {
    let Player { watch, guard, snapshot, .. } = player();
    let Some(watch) = watch else { return };
    // SAFETY: the thread is at the first of these instructions, which get back the bytes that they had.
    let written = unsafe { code::write(watch.room.address, watch.original()) };
    if !written || !guard.allow(Allowed::All) {
        unwatchable(thread);
    }
    let is_it = snapshot.difference(machine, 0..0).is_none() && snapshot.is_equal(machine, watch.mapping());
    if !is_it {
        if !guard.allow(Allowed::Execution) {
            unwatchable(thread);
        }
        return;
    }
    watch.restore();
    found(thread, machine);
    if let Some(next) = player().watch.as_ref().filter(|next| next.in_place) {
        // SAFETY: as above; the debugger takes every change out.
        unsafe { code::write(next.room.address, next.original()) };
    }
}

/// The thread is at the address, and so far nothing says that it is not the moment.
fn passage(thread: &mut Thread, machine: &mut MachineContext) {
    let Player { watch, guard, search, snapshot, .. } = player();
    let Some(watch) = watch else { return };
    watch.passages += 1;
    let written = match snapshot.difference(machine, watch.changed()) {
        Some(condition) => {
            add(watch, condition);
            true
        }
        None => {
            // The program's code may be in its writable memory, which is compared now.
            let restored = watch.restore() && guard.allow(Allowed::All);
            let began = kernel::microseconds();
            if restored && snapshot.is_equal(machine, watch.mapping()) {
                return found(thread, machine);
            }
            search.compared += kernel::microseconds() - began;
            watch.others += 1;
            if watch.others > MOST_OTHERS {
                divergence::no_such_state(thread, machine.rip);
            }
            restored && guard.allow(Allowed::Execution) && watch.change()
        }
    };
    let jumps = watch.room.has_jump() && watch.passages >= PASSAGES;
    if !written || jumps && !install(watch) {
        unwatchable(thread);
    }
    if let Some(copy) = watch.trampoline.moved(watch.room.address) {
        machine.rip = copy;
    }
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
    let address = watch.trampoline.code.address();
    let composed = loop {
        match trampoline::compose(&watch.room, address, watch.conditions()) {
            Ok(composed) => break composed,
            // Too many for the room there is.
            Err(_) if watch.condition_count > 1 => watch.condition_count -= 1,
            Err(_) => return false,
        }
    };
    watch.trampoline = composed;
    // SAFETY: the thread is at the first of the instructions that are changed, and goes on in the trampoline.
    let written = unsafe { code::write(address, watch.trampoline.code.bytes()) };
    if !written || watch.jumps {
        debugger::code_moved(&|address| watch.copy(address));
        return written;
    }
    watch.jumps = true;
    watch.change()
}

/// Stops looking. The code is as it was.
fn end_watch() {
    player().awaited = false;
    debugger::forget_state();
    if let Some(watch) = player().watch.take() {
        // SAFETY: the trampoline is ours, and the code that led to it is as it was.
        unsafe { raw::call(libc::SYS_munmap, [watch.mapping().start, MAPPING_LENGTH, 0, 0, 0, 0]) };
    }
}

/// This is the moment. The code is as it was.
fn found(thread: &mut Thread, machine: &mut MachineContext) {
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
    machine.rip = watch.room.address;
    if debugger::compares() {
        return compare(thread, machine);
    }
    if !watch.change() {
        unwatchable(thread);
    }
    passage(thread, machine);
}
