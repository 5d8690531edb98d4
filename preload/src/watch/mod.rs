//! A watched replay: each call of libc's synchronisation functions, and each sleep for a futex, is told beside
//! ([`tracer_core::session::watch`]).
//!
//! The recording knows nothing of this, so the program must not see it. Entries of the functions are redirected to a hook
//! that leaves every register, every flag and every byte of the program's stack as it is, dead ones too: they are part of
//! the state by which stops are found. It tells no more than that a function is called, since to see its return would
//! change the stack; whoever reads the records finds the rest, because in serial order nobody else runs between a
//! call and its first sleep. Functions that have a hook for another reason (with chaos, or in sync order) are told of there.

pub mod accesses;
pub mod alone;
mod closed;

use crate::order::{objects, points, sections};
use crate::start::maps::Mapping;
use crate::thread::{self, Thread};
use crate::{kernel, log, process, sites, stop};
use core::arch::global_asm;
use core::mem::offset_of;
use core::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use kmod_shim::arch::native::{entry::ThreadRegister, frame::Frame};
use kmod_shim::patch::near_memory::Region;
use kmod_shim::vdso::Functions;
use tracer_core::session::functions::{self, Deed, FUNCTIONS, Lock};
use tracer_core::session::watch::{CHUNK, RECORDS, Record, StackPart, chunk_offset, what};

/// How many entries can be redirected: some functions have two versions.
const ENTRIES: usize = 64;
/// Bytes from one entry hook to the next.
const STRIDE: u64 = 32;
/// Where a mutex has its kind (nptl/sysdeps/x86/nptl/bits/struct_mutex.h).
const MUTEX_KIND: u64 = 16;
/// Where a read-write lock says who has it (nptl/sysdeps/x86/nptl/bits/struct_rwlock.h).
const READERS: u64 = 0;

/// Where each function begins, where it goes on, and which it is.
static ADDRESSES: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
static ORIGINALS: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
static NUMBERS: [AtomicU8; ENTRIES] = [const { AtomicU8::new(0) }; ENTRIES];

/// libc's `syscall`, and how long it is at most.
static SYSCALL: AtomicU64 = AtomicU64::new(0);
const SYSCALL_LENGTH: u64 = 64;

/// What a thread needs here.
#[repr(C)]
pub struct State {
    /// The program's rax and rsp while the hook runs, and where the function goes on.
    rax: u64,
    rsp: u64,
    target: u64,
    /// Records in the thread's chunk; [`RECORDS`] if it has none.
    used: usize,
    /// Accesses told so far.
    accesses: u64,
    /// An access is being made in a single step: the instruction, or 0 for one that needs memory open for another reason.
    step: Option<u64>,
    /// rip, rsp and rbp, where the thread may hand over and makes no call.
    pub place: Option<[u64; 3]>,
    /// A handler has returned, and the kernel has not read its frame.
    returns: bool,
    /// Of the threads that are to be alone ([`mod@alone`]), this is the one.
    is_alone: bool,
    /// The word that libc waits for and the operation in which it does, and for how long it slept before its last look, in
    /// nanoseconds.
    pause: ((u64, u64), u64),
}

impl State {
    /// Of a thread that has told nothing.
    pub const NEW: State = State {
        rax: 0,
        rsp: 0,
        target: 0,
        used: RECORDS,
        accesses: 0,
        step: None,
        place: None,
        returns: false,
        is_alone: false,
        pause: ((0, 0), 0),
    };
}

unsafe extern "C" {
    fn imitate_watch();
}

global_asm!(
    ".pushsection .text.imitate_watch, \"ax\", @progbits",
    ".balign {stride}",
    ".hidden imitate_watch",
    ".globl imitate_watch",
    "imitate_watch:",
    ".set imitate_watched, 0",
    ".rept {entries}",
    ".balign {stride}",
    "mov gs:[{rax}], rax",
    "mov eax, imitate_watched",
    "jmp 2f",
    ".set imitate_watched, imitate_watched + 1",
    ".endr",
    ".balign {stride}",
    "2: mov gs:[{rsp}], rsp",
    "mov rsp, gs:[{frame}]",
    "pushfq",
    "push rcx",
    "push rdx",
    "push rsi",
    "push rdi",
    "push r8",
    "push r9",
    "push r10",
    "push r11",
    "sub rsp, 264",
    "movups [rsp], xmm0",
    "movups [rsp + 16], xmm1",
    "movups [rsp + 32], xmm2",
    "movups [rsp + 48], xmm3",
    "movups [rsp + 64], xmm4",
    "movups [rsp + 80], xmm5",
    "movups [rsp + 96], xmm6",
    "movups [rsp + 112], xmm7",
    "movups [rsp + 128], xmm8",
    "movups [rsp + 144], xmm9",
    "movups [rsp + 160], xmm10",
    "movups [rsp + 176], xmm11",
    "movups [rsp + 192], xmm12",
    "movups [rsp + 208], xmm13",
    "movups [rsp + 224], xmm14",
    "movups [rsp + 240], xmm15",
    "cld",
    "mov rdx, rax",
    "call {watched}",
    "movups xmm0, [rsp]",
    "movups xmm1, [rsp + 16]",
    "movups xmm2, [rsp + 32]",
    "movups xmm3, [rsp + 48]",
    "movups xmm4, [rsp + 64]",
    "movups xmm5, [rsp + 80]",
    "movups xmm6, [rsp + 96]",
    "movups xmm7, [rsp + 112]",
    "movups xmm8, [rsp + 128]",
    "movups xmm9, [rsp + 144]",
    "movups xmm10, [rsp + 160]",
    "movups xmm11, [rsp + 176]",
    "movups xmm12, [rsp + 192]",
    "movups xmm13, [rsp + 208]",
    "movups xmm14, [rsp + 224]",
    "movups xmm15, [rsp + 240]",
    "add rsp, 264",
    "pop r11",
    "pop r10",
    "pop r9",
    "pop r8",
    "pop rdi",
    "pop rsi",
    "pop rdx",
    "pop rcx",
    "popfq",
    "mov rax, gs:[{rax}]",
    "mov rsp, gs:[{rsp}]",
    "jmp gs:[{target}]",
    ".popsection",
    stride = const STRIDE,
    entries = const ENTRIES,
    frame = const offset_of!(ThreadRegister, frame),
    rax = const offset_of!(Thread, watch) + offset_of!(State, rax),
    rsp = const offset_of!(Thread, watch) + offset_of!(State, rsp),
    target = const offset_of!(Thread, watch) + offset_of!(State, target),
    watched = sym watched,
);

/// Whether this is a watched replay.
#[inline]
pub fn is_on() -> bool {
    process::control().is_watched()
}

/// The program has begun, or executed another image: redirects the functions, but for those that have a hook.
pub fn install(thread: &mut Thread, mappings: &[Mapping]) {
    if !is_on() {
        return;
    }
    tell(thread, Record { what: what::EXECUTES, ..Record::default() });
    let Some(base) = objects::base_of(mappings, |name| name.ends_with(objects::LIBC)) else { return };
    // SAFETY: ld.so has loaded it, and it stays for as long as the process lives.
    let all = unsafe { Functions::at(base) }.functions();
    let mut known = [0u64; ENTRIES];
    let mut count = 0;
    for function in all {
        if function.name == b"syscall" {
            SYSCALL.store(function.address, Ordering::Relaxed);
        }
        let Some(number) = functions::number(function.name) else { continue };
        let deed = FUNCTIONS[number as usize].deed;
        if deed == Deed::Free && !accesses::are_told() {
            continue;
        }
        let elsewhere = points::is_hooked(function.address)
            || sections::is_chosen() && !matches!(deed, Deed::Release(_) | Deed::Renew);
        if elsewhere || count == ENTRIES || known[..count].contains(&function.address) {
            continue;
        }
        let hook = imitate_watch as *const () as u64 + count as u64 * STRIDE;
        if let Some(original) =
            sites::exclusively(|sites| sites.redirect(base, function.address, hook, Region::Aside))
        {
            ADDRESSES[count].store(function.address, Ordering::Relaxed);
            ORIGINALS[count].store(original, Ordering::Relaxed);
            NUMBERS[count].store(number as u8, Ordering::Relaxed);
            known[count] = function.address;
            count += 1;
        }
    }
}

/// Where in the program's code `address` is, if it is in what has taken the place of that.
fn in_program(address: u64) -> u64 {
    /// Bytes that the beginning of a function can have where it goes on.
    const BEGINNING: u64 = 64;
    let here = ORIGINALS.iter().zip(&ADDRESSES).chain(points::moved());
    let here = here.map(|(original, function)| [original, function].map(|word| word.load(Ordering::Relaxed)));
    let moved = here.filter(|[original, _]| (*original..original + BEGINNING).contains(&address)).max();
    match moved {
        // Which of its first instructions it is makes no difference.
        Some([original, function]) if original != 0 => function,
        _ => stop::original(address),
    }
}

/// The program calls the function of an entry with these arguments.
extern "C" fn watched(first: u64, second: u64, entry: u64) {
    let thread = thread::current();
    thread.watch.target = ORIGINALS[entry as usize].load(Ordering::Relaxed);
    let number = NUMBERS[entry as usize].load(Ordering::Relaxed).into();
    let top = thread.watch.rsp;
    // In an operation of sync order, which was told of, it is not the program that calls: a wait for a condition gives the mutex up.
    if !thread.is_in_operation(top) {
        calls(thread, number, [first, second], top);
    }
    accesses::before_program(thread);
}

/// A function is called with these first arguments, and returns to what lies at `top`.
pub fn calls(thread: &mut Thread, function: u16, arguments: [u64; 2], top: u64) {
    if !is_on() {
        return;
    }
    let [object, second] = arguments;
    let deed = FUNCTIONS[function as usize].deed;
    if deed == Deed::Free {
        return frees(thread, object);
    }
    let mutex = if deed == Deed::WaitForCondition { second } else { 0 };
    let place =
        if matches!(deed, Deed::Take(Lock::Shared | Lock::Exclusive, _)) { READERS } else { MUTEX_KIND };
    let kind = log::read_value(object.wrapping_add(place)).unwrap_or(0);
    let (caller, stack) = (log::read_value(top).unwrap_or(0), top);
    tell(
        thread,
        Record { what: what::CALLS, function, object, mutex, kind, caller, stack, ..Record::default() },
    );
}

/// A block of libc's allocator is given back, or may be moved.
fn frees(thread: &mut Thread, block: u64) {
    // malloc/malloc.c: before a block lies the size of its chunk, which begins there, and three flags.
    const FLAGS: u64 = 7;
    const HEADER: u64 = 8;
    if let Some(size) = log::read_value::<u64>(block.wrapping_sub(HEADER)) {
        accesses::forgets(thread, block, (size & !FLAGS).saturating_sub(HEADER));
    }
}

/// Sync order: the same, from a hook that runs on the stack for operations.
pub fn operation_begins(thread: &mut Thread, function: Option<u16>, arguments: [u64; 2]) {
    if let Some(function) = function {
        // Above what the hook's frame has kept of rbp.
        let top = thread.register.program_stack.wrapping_add(8);
        calls(thread, function, arguments, top);
    }
}

/// Sync order: the function has come back.
pub fn operation_ends(thread: &mut Thread, function: Option<u16>, object: u64, result: i32) {
    if let Some(function) = function.filter(|_| is_on()) {
        tell(thread, Record { what: what::RETURNS, function, object, result, ..Record::default() });
        accesses::before_program(thread);
    }
}

/// The thread makes a futex call.
pub fn sleeps(thread: &mut Thread, futex: u64, frame: &Frame) {
    let function = SYSCALL.load(Ordering::Relaxed);
    let by_function = (function..function + SYSCALL_LENGTH).contains(&frame.rip);
    let top = if by_function { log::read_value(frame.rsp) } else { None };
    let caller = top.unwrap_or(frame.rip);
    tell(thread, Record { what: what::SLEEPS, object: futex, caller, ..Record::default() });
}

/// It has come back from that, with this result.
pub fn wakes(thread: &mut Thread, futex: u64, result: i64) {
    let result = result as i32;
    tell(thread, Record { what: what::WAKES, object: futex, result, ..Record::default() });
}

/// It is about to create a thread, which will have this stream and clear that word when it ends.
pub fn creates(thread: &mut Thread, stream: u32, clear_tid: u64) {
    if is_on() {
        tell(thread, Record { what: what::CREATES, object: clear_tid, kind: stream, ..Record::default() });
    }
}

/// Whether each hand-over is told.
#[inline]
pub fn hand_overs_are_told() -> bool {
    process::control().watch.hand_overs.load(Ordering::Relaxed) != 0
}

/// The thread is stopped between two instructions, at so many passages of the second one since its last hook.
pub fn stops(thread: &mut Thread, address: u64, passages: u64) {
    if hand_overs_are_told() {
        tell(thread, Record { what: what::STOPS, object: address, mutex: passages, ..Record::default() });
    }
}

/// The thread's turn ends: where its hook says that it is, or where it makes a call.
pub fn hands_over(thread: &mut Thread) {
    const PARTS: u16 = 100;
    if !hand_overs_are_told() {
        return;
    }
    // SAFETY: a frame is its thread's for as long as the thread is in the hook, which it is.
    let frame = unsafe { thread.frame.as_ref() };
    let registers = thread.watch.place.or(frame.map(|frame| [frame.rip, frame.rsp, frame.rbp]));
    if let Some(registers) = registers {
        tell_stack(thread, registers, PARTS);
    }
    tell(thread, Record { what: what::HANDS_OVER, ..Record::default() });
}

/// Tells what lies on the stack, as far as it reaches, of a thread with these rip, rsp and rbp.
fn tell_stack(thread: &mut Thread, registers: [u64; 3], parts: u16) {
    const SIZE: u64 = size_of::<[u64; StackPart::WORDS]>() as u64;
    let [instruction, stack, frame] = registers;
    let words = [instruction, stack, frame, 0, 0, 0];
    put(thread, StackPart { number: 0, words }.to_record(thread.stream));
    for number in 0..parts {
        let Some(words) = log::read_value(stack + u64::from(number) * SIZE) else { break };
        put(thread, StackPart { number: number + 1, words }.to_record(thread.stream));
    }
}

/// The process is about to end. In sync order, its other threads may still be on their way to the lock that they then wait for
/// in vain, of which nothing is in the log.
pub fn linger() {
    const TIME: u64 = 50_000_000;
    if is_on() && sections::are_on() {
        alone::while_others_go_on(|| kernel::sleep(TIME));
    }
}

fn tell(thread: &mut Thread, record: Record) {
    let event = if sections::are_on() { thread.passes } else { thread.events };
    let time = kernel::monotonic_time();
    put(thread, Record { time, event, stream: thread.stream, ..record });
}

fn put(thread: &mut Thread, record: Record) {
    // A child of vfork is another process in its parent's memory.
    if thread.borrows_memory {
        return;
    }
    let watch = &process::control().watch;
    if thread.watch.used == RECORDS {
        let Some(chunk) = watch.take_chunk() else { return };
        let (address, memory) = (thread::watch_area(thread.area), process::get().memory);
        // SAFETY: a part of the thread's own area that is used for nothing else.
        if unsafe { kernel::remap_shared(address, CHUNK, memory, chunk_offset(chunk)) }.is_err() {
            return;
        }
        thread.watch.used = 0;
    }
    let record = Record { sequence: watch.next(), ..record };
    let place = thread::watch_area(thread.area) as *mut Record;
    // SAFETY: the thread's chunk is mapped there, and has room for so many records.
    unsafe { place.add(thread.watch.used).write(record) };
    thread.watch.used += 1;
}
