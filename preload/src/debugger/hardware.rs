//! Watched places: the processor's debug registers, by way of the kernel's perf events, which raise SIGTRAP in the
//! thread itself. That takes some 15 microseconds a hit, and nothing otherwise.

use super::{SOON, debugger, get, introduce, position, set, stop};
use crate::signals::{Information, code_of};
use crate::stop::{is_in_program, registers};
use crate::thread::{self, Thread};
use crate::{kernel, log, process};
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering};
use kmod_shim::arch::native::signal_frame::MachineContext;
use tracer_core::session::debugger::{WATCHES, Watch, goal, watch};
use tracer_core::session::{Mode, SLOTS};

/// `si_code` of a perf event's signal.
const TRAP_PERF: i32 = 6;
/// Where `siginfo_t` has the number that we gave the event.
const INFORMATION_DATA: usize = 24;

const PERF_TYPE_BREAKPOINT: u32 = 5;
const ATTRIBUTE_SIZE: u32 = 128;
/// Without the kernel and hypervisor; removed by exec, as the next requires; a signal for each hit.
const FLAGS: u64 = 1 << 5 | 1 << 6 | 1 << 36 | 1 << 37;
const BREAKPOINT_WRITE: u32 = 2;
const BREAKPOINT_EXECUTE: u32 = 4;
/// What the kernel wants as the length of an instruction.
const EXECUTE_LENGTH: u64 = 8;

/// Which of the registers says where the thread is.
const INSTRUCTION_POINTER: usize = 16;

/// `struct perf_event_attr` of the kernel.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    kind: u32,
    size: u32,
    config: u64,
    period: u64,
    sample: u64,
    read_format: u64,
    flags: u64,
    wakeup: u32,
    breakpoint_kind: u32,
    address: u64,
    length: u64,
    branch_sample: u64,
    sample_registers: u64,
    sample_stack: u32,
    clock: i32,
    sample_interrupted_registers: u64,
    auxiliary_watermark: u32,
    sample_max_stack: u16,
    reserved: u16,
    auxiliary_sample: u32,
    reserved_too: u32,
    data: u64,
}

const _: () = assert!(size_of::<Attributes>() == ATTRIBUTE_SIZE as usize);

/// How often a place may be hit: a second's worth of traps.
const MOST_HITS: u64 = 50_000;
/// How often each was, filtered or not.
static TRAPS: [AtomicU64; WATCHES] = [const { AtomicU64::new(0) }; WATCHES];
/// Descriptor, plus one, of the event for the state that is looked for.
static STATE: AtomicI32 = AtomicI32::new(0);
/// This process is the one whose places are watched.
static IS_WATCHED: AtomicBool = AtomicBool::new(false);
/// Descriptors of the events, plus one.
static EVENTS: [AtomicI32; SLOTS] = [const { AtomicI32::new(0) }; SLOTS];
/// Where their instructions are executed now.
static ADDRESSES: [AtomicU64; WATCHES] = [const { AtomicU64::new(0) }; WATCHES];
/// What the places had when they were last looked at.
static VALUES: [AtomicU64; WATCHES] = [const { AtomicU64::new(0) }; WATCHES];

/// A process begins.
pub fn begin_process(stream: u32) {
    introduce();
    EVENTS.iter().for_each(|event| event.store(0, Ordering::Relaxed));
    IS_WATCHED.store(get(&debugger().process) == u64::from(stream), Ordering::Relaxed);
    for (index, place) in debugger().watches.iter().enumerate() {
        set(&VALUES[index], read(place));
        set(&ADDRESSES[index], get(&place.address));
    }
    begin_thread(0);
}

/// A thread begins, and watches the places.
pub fn begin_thread(area: usize) {
    if !IS_WATCHED.load(Ordering::Relaxed) || get(&debugger().goal) == goal::NONE {
        return;
    }
    for (index, place) in debugger().watches.iter().enumerate() {
        if get(&place.kind) != watch::NONE
            && get(&debugger().exhausted) & 1 << index == 0
            && let Err(error) = open(index, place, get(&place.address), area)
        {
            set(&debugger().error, error as u64);
        }
    }
}

fn open(index: usize, place: &Watch, address: u64, area: usize) -> Result<(), kernel::Errno> {
    let executes = get(&place.kind) == watch::EXECUTE;
    let descriptor = open_event(index, executes, address, get(&place.length))?;
    match EVENTS.get(area * WATCHES + index) {
        Some(event) => event.store(descriptor + 1, Ordering::Relaxed),
        None => {
            kernel::close(descriptor);
            return Err(libc::ENOSPC);
        }
    }
    Ok(())
}

/// An event of the calling thread.
fn open_event(index: usize, executes: bool, address: u64, length: u64) -> Result<i32, kernel::Errno> {
    let attributes = Attributes {
        kind: PERF_TYPE_BREAKPOINT,
        size: ATTRIBUTE_SIZE,
        period: 1,
        flags: FLAGS,
        breakpoint_kind: if executes { BREAKPOINT_EXECUTE } else { BREAKPOINT_WRITE },
        address,
        length: if executes { EXECUTE_LENGTH } else { length },
        data: index as u64,
        ..Attributes::default()
    };
    let arguments = [&raw const attributes as u64, 0, u64::MAX, u64::MAX, 0, 0];
    // SAFETY: the kernel reads the attributes.
    unsafe { kernel::call(libc::SYS_perf_event_open, arguments) }.map(|descriptor| descriptor as i32)
}

/// The thread is told of each passage of `address` ([`crate::stop::passes`]): the instruction there cannot be executed elsewhere.
pub fn watch_state(address: u64) {
    match open_event(WATCHES, true, address, EXECUTE_LENGTH) {
        Ok(descriptor) => STATE.store(descriptor + 1, Ordering::Relaxed),
        Err(error) => set(&debugger().error, error as u64),
    }
}

/// No more.
pub fn forget_state() {
    close(&STATE);
}

/// Some of the program's instructions are executed elsewhere, where `moved` says, by this thread, which alone has the right
/// to run; or where they are.
pub fn code_moved(moved: &dyn Fn(u64) -> Option<u64>) {
    if !IS_WATCHED.load(Ordering::Relaxed) || get(&debugger().goal) == goal::NONE {
        return;
    }
    let area = thread::current().area;
    for (index, place) in debugger().watches.iter().enumerate() {
        let address = get(&place.address);
        let now = moved(address).unwrap_or(address);
        let exhausted = get(&debugger().exhausted) & 1 << index != 0;
        if exhausted
            || get(&place.kind) != watch::EXECUTE
            || ADDRESSES[index].swap(now, Ordering::Relaxed) == now
        {
            continue;
        }
        if let Some(event) = EVENTS.get(area * WATCHES + index) {
            close(event);
        }
        if let Err(error) = open(index, place, now, area) {
            set(&debugger().error, error as u64);
        }
    }
}

fn close(event: &AtomicI32) {
    if let Some(descriptor) = event.swap(0, Ordering::Relaxed).checked_sub(1).filter(|number| *number >= 0) {
        kernel::close(descriptor);
    }
}

/// Nothing is watched any more.
pub fn end() {
    IS_WATCHED.store(false, Ordering::Relaxed);
    EVENTS.iter().for_each(close);
}

/// What is there, as a number.
fn read(place: &Watch) -> u64 {
    let mut bytes = [0u8; 8];
    let length = get(&place.length).min(8) as usize;
    let known =
        tracer_core::syscalls::Memory::read(&log::ProgramMemory, get(&place.address), &mut bytes[..length]);
    if known { u64::from_le_bytes(bytes) } else { 0 }
}

/// A SIGTRAP has come. True if it was for a watched place.
pub fn was_hit(thread: &mut Thread, information: &Information, machine: &mut MachineContext) -> bool {
    if process::get().mode != Mode::Replay || code_of(information) != TRAP_PERF {
        return false;
    }
    let index = information[INFORMATION_DATA] as usize;
    if index == WATCHES {
        crate::stop::passes(thread, machine);
    } else if let Some(place) = debugger().watches.get(index)
        && IS_WATCHED.load(Ordering::Relaxed)
        && !is_exhausted(index, thread)
        && counts(index, place, thread, machine)
    {
        hit(index, thread, machine);
    }
    true
}

/// Whether the place is hit too often. It is then not watched any more by the threads that find that out.
fn is_exhausted(index: usize, thread: &Thread) -> bool {
    let exhausted = TRAPS[index].fetch_add(1, Ordering::Relaxed) >= MOST_HITS;
    if exhausted {
        debugger().exhausted.fetch_or(1 << index, Ordering::Relaxed);
        if let Some(event) = EVENTS.get(thread.area * WATCHES + index) {
            close(event);
        }
    }
    exhausted
}

fn counts(index: usize, place: &Watch, thread: &Thread, machine: &MachineContext) -> bool {
    let (rsp, stream) = (get(&place.stack_pointer), get(&place.thread));
    if rsp != 0 && rsp != machine.rsp || stream != 0 && stream != u64::from(thread.stream) + 1 {
        return false;
    }
    let now = if get(&place.kind) == watch::CHANGE { read(place) } else { return true };
    let then = VALUES[index].swap(now, Ordering::Relaxed);
    now != then
}

/// Waits at a hit that may be the one to stop at, until that is known.
fn await_number(number: u64) {
    let debugger = debugger();
    // SAFETY: the low half of a live, aligned 64-bit atomic is an aligned 32-bit word on a little-endian machine.
    let known = unsafe { &*debugger.number.as_ptr().cast::<AtomicU32>() };
    while debugger.goal.load(Ordering::Acquire) == goal::FOLLOW && get(&debugger.number) <= number {
        process::end_if_abandoned();
        // The debugger writes to memory, and wakes nobody.
        kernel::futex_wait(known, get(&debugger.number) as u32, 2);
    }
}

fn hit(index: usize, thread: &mut Thread, machine: &mut MachineContext) {
    let debugger = debugger();
    let in_program = is_in_program(machine);
    let number = get(&debugger.hits) + 1;
    set(&debugger.hits, number);
    let [last, before] = &debugger.last;
    for (to, from) in [
        (&before.number, &last.number),
        (&before.stream, &last.stream),
        (&before.event, &last.event),
        (&before.watch, &last.watch),
    ]
    .into_iter()
    .chain(before.registers.iter().zip(&last.registers))
    {
        set(to, get(from));
    }
    set(&last.number, number);
    set(&last.stream, u64::from(thread.stream));
    set(&last.event, position(thread));
    set(&last.watch, index as u64);
    let place = crate::stop::original(machine.rip);
    let mut present = registers(machine);
    present[INSTRUCTION_POINTER] = place;
    for (to, from) in last.registers.iter().zip(present) {
        set(to, if in_program { from } else { 0 });
    }
    await_number(number);
    if get(&debugger.goal) == goal::HIT && get(&debugger.number) == number {
        if in_program {
            crate::stop::as_interrupted(machine);
            machine.rip = place;
            stop(thread, place);
        } else {
            SOON.store(true, Ordering::Relaxed);
        }
    }
}
