//! Taking control: the constructor, before any other library's.

pub mod environment;
pub mod layout;
mod normalise;
mod standalone;

use crate::process::{self, Process};
use crate::signals::{Action, SYNCHRONOUS, bit, kernel_side};
use crate::thread::{self, RawFutex, Thread};
use crate::{arena, clock, files, kernel, order, processor, sites, stop, time_stamps, watch};
use alloc::vec::Vec;
use core::arch::global_asm;
use core::ffi::{c_char, c_int, c_void};
use core::sync::atomic::{AtomicU64, Ordering};
use environment::{Attachment, Environment, Wanted};
use kmod_shim::arch::native::{
    entry::{self, call_on_stack},
    extended_state,
};
pub use kmod_shim::maps;
use layout::InitialStack;
use tracer_core::companion::wake;
use tracer_core::session::{self, CONTROL_SIZE, MAGIC, Mode, slot_state};

/// `-z initfirst` makes the loader call this before the constructors of all other objects.
#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: unsafe extern "C" fn() = imitate_constructor;

/// Bytes below the constructor's caller that it clears when it is done.
const CONSTRUCTOR_STACK: u64 = 16 << 10;

unsafe extern "C" {
    fn imitate_constructor();
}

// What `start` leaves on the program's stack and in registers depends on the mode, and is part of the state by which stops
// are found.
global_asm!(
    ".pushsection .text.imitate_constructor, \"ax\", @progbits",
    ".hidden imitate_constructor",
    "imitate_constructor:",
    "sub rsp, 8",
    "call {start}",
    "add rsp, 8",
    "lea rdi, [rsp - {size}]",
    "mov ecx, {size} / 8",
    "xor eax, eax",
    "rep stosq",
    crate::registers::clear_scratch!(),
    "ret",
    ".popsection",
    start = sym start,
    size = const CONSTRUCTOR_STACK,
);

/// Our executable segment, and all our mappings.
static CODE: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];
static MEMORY: [AtomicU64; 2] = [const { AtomicU64::new(0) }; 2];

/// Calls `action` with the process's mappings; `None` if the kernel does not tell them.
pub fn with_mappings<R>(action: impl FnOnce(&[maps::Mapping]) -> R) -> Option<R> {
    let text = kernel::read_file(c"/proc/thread-self/maps").ok()?;
    let mappings: Vec<_> = maps::parse(&text).collect();
    Some(action(&mappings))
}

/// Whether what is mapped at `address` can be written; `None` if nothing is.
pub fn is_writable(address: u64) -> Option<bool> {
    with_mappings(|mappings| {
        let found = mappings.iter().find(|mapping| (mapping.begin..mapping.end).contains(&address))?;
        Some(found.writable)
    })
    .flatten()
}

fn within(range: &[AtomicU64; 2], address: u64) -> bool {
    (range[0].load(Ordering::Relaxed)..range[1].load(Ordering::Relaxed)).contains(&address)
}

/// Whether `address` is in this library's code.
pub fn is_our_code(address: u64) -> bool {
    within(&CODE, address)
}

/// Where in the library's file `address` is, if it is in our code.
pub fn offset_of_code(address: u64) -> Option<u64> {
    is_our_code(address).then(|| address - MEMORY[0].load(Ordering::Relaxed))
}

/// The part of a mapping that is the program's. Nothing else is mapped between our segments, but the kernel may join
/// the last one with what the program maps behind it.
pub fn of_program(mapping: &maps::Mapping) -> core::ops::Range<u64> {
    let begin = match mapping.begin {
        ours if is_our_memory(ours) => MEMORY[1].load(Ordering::Relaxed).min(mapping.end),
        _ if arena::RANGE.contains(&(mapping.begin as usize)) => mapping.end,
        begin => begin,
    };
    begin..mapping.end
}

/// Whether `address` is in any of this library's segments.
pub fn is_our_memory(address: u64) -> bool {
    within(&MEMORY, address)
}

extern "C" fn start(_: c_int, argv: *mut *mut c_char, envp: *mut *mut c_char) {
    // SAFETY: the loader passes the kernel's arrays.
    let environment = unsafe { Environment::new(envp) };
    match environment.wanted() {
        Wanted::Off => environment.hide(),
        Wanted::Nonsense => {
            kernel::complain(&[b"IMITATE_MODE must be record, replay or off; the program runs unrecorded"]);
            environment.hide();
        }
        Wanted::On(mode) => match environment.attachment() {
            Some(attachment) => on_own_stack(&Request { environment, attachment, argv, envp }),
            // SAFETY: as above.
            None => unsafe { standalone::launch(mode.unwrap_or(Mode::Record), envp) },
        },
    }
}

/// What [`take_control`] needs, to be passed across a change of stack.
struct Request {
    environment: Environment,
    attachment: Attachment,
    argv: *mut *mut c_char,
    envp: *mut *mut c_char,
}

/// Takes control on the hook stack: what this code leaves on the program's stack depends on the mode, and
/// programs do read uninitialised memory (glibc passes such bytes to connect, for one).
fn on_own_stack(request: &Request) {
    if thread::prepare_area(0).is_err() {
        return give_up(&request.environment, b"no memory for the recorder; the program runs unrecorded");
    }
    // SAFETY: the hook stack was just mapped and nobody is on it; the request outlives the call.
    unsafe {
        call_on_stack(thread::frame_of(0) as u64, run_request, (&raw const *request).cast_mut().cast())
    };
}

extern "C" fn run_request(request: *mut c_void) {
    // SAFETY: `on_own_stack` passes a valid request, whose arrays are the kernel's.
    unsafe {
        let request = &*request.cast::<Request>();
        take_control(request);
    }
}

/// Why control could not be taken.
fn give_up(environment: &Environment, reason: &[u8]) {
    kernel::complain(&[reason]);
    if environment.wanted() == Wanted::On(Some(Mode::Replay)) {
        kernel::exit(125);
    }
    environment.hide();
}

/// # Safety
/// The request's arrays are the kernel's, on the initial stack, where the request itself is too.
unsafe fn take_control(request: &Request) {
    let Request { environment, attachment, argv, envp } = request;
    let (argv, envp) = (*argv, *envp);
    let shared = libc::MAP_SHARED;
    let writable = libc::PROT_READ | libc::PROT_WRITE;
    if kernel::map(arena::BASE, CONTROL_SIZE, writable, shared, attachment.memory, 0).is_err()
        || process::control().magic.load(Ordering::Acquire) != MAGIC
        || attachment.slot >= session::SLOTS
    {
        return give_up(environment, b"the recording's session is gone; the program runs unrecorded");
    }
    // Not "thread-self", which costs more: this is the first thread.
    let Ok(map_text) = kernel::read_file(c"/proc/self/maps") else {
        return give_up(environment, b"/proc is not mounted; the program runs unrecorded");
    };
    // Once: it is looked through many times.
    let mappings: Vec<_> = maps::parse(&map_text).collect();
    find_ourselves(&mappings);
    // SAFETY: every x86-64 processor that runs a kernel with Syscall User Dispatch has XSAVE.
    extended_state::adopt(&process::control().processor.get(|| unsafe { extended_state::ask() }));
    let mode = match process::control().mode.load(Ordering::Relaxed) {
        mode if mode == Mode::Replay as u32 => Mode::Replay,
        _ => Mode::Record,
    };
    let (real, real_thread) = kernel::real_ids();
    process::initialise(Process {
        mode,
        memory: attachment.memory,
        socket: attachment.socket,
        id: real,
        real_id: real,
        actions: [Action::DEFAULT; 65],
        outputs: environment.outputs(),
        files: files::Files::new(),
        children: Vec::new(),
        sites: sites::Sites::new(),
        library: environment.library(),
        threads: 1,
        free_areas: Vec::new(),
        next_area: 1,
        filters: crate::calls::seccomp::Filters::NONE,
    });
    let thread = thread::state_of(0);
    // SAFETY: the area was prepared, and no other thread exists.
    let thread = unsafe {
        if thread::attach_ring(thread, 0, attachment.slot).is_err() {
            return give_up(
                environment,
                b"the recording's memory cannot be mapped; the program runs unrecorded",
            );
        }
        thread::initialise(thread, 0, real_thread);
        entry::set_thread_register(thread.cast());
        &mut *thread
    };
    let slot = &process::control().slots[attachment.slot];
    slot.process.store(real, Ordering::Relaxed);
    slot.thread.store(real_thread, Ordering::Relaxed);
    slot.state.store(slot_state::LIVE, Ordering::Release);
    thread.real = real_thread;
    // An image before this one may have had events of the stream.
    thread.events = slot.position.load(Ordering::Relaxed);
    if mode == Mode::Record && !order::begin_image(slot) {
        return give_up(environment, b"the list of hand-overs cannot be mapped; the program runs unrecorded");
    }
    order::reset(thread);
    clear_dead_stack(&raw const *request as u64, &mappings);
    crate::calls::process::others_have_ended(slot);
    // SAFETY: the kernel's arrays.
    let stack = unsafe { InitialStack::read(argv, envp) };
    let begins_recording = mode == Mode::Record && environment.is_first();
    let identity = match mode {
        Mode::Record => {
            if begins_recording {
                process::get().outputs.begin();
            }
            let identity = layout::identity(thread, &stack);
            layout::record(thread, &stack, &identity, &map_text, &mappings, begins_recording);
            if begins_recording {
                // It can look at the program's files while that runs, and not when it has ended.
                thread::wake_companion();
            }
            identity
        }
        Mode::Replay => {
            let identity = layout::replay(thread, &mappings);
            normalise::adopt(&stack, &identity, &raw const *request as u64);
            identity
        }
    };
    layout::adopt(thread, &identity);
    normalise::unregister_restartable_sequences();
    environment.hide();
    arm(thread, &stack, &mappings);
    // As late as can be: the companion opens the trace meanwhile.
    if begins_recording && !wake::await_trace(process::control(), &RawFutex) {
        // Whoever started us knows why.
        kernel::exit(125);
    }
}

/// Clears what the loader left on the stack below us, whose frames are at `here`: it depends on the mode.
fn clear_dead_stack(here: u64, mappings: &[maps::Mapping]) {
    const PAGE: u64 = 4096;
    // The rest is cleared when we are done.
    let end = (here - CONSTRUCTOR_STACK / 2) & !(PAGE - 1);
    let stack = mappings.iter().find(|mapping| (mapping.begin..mapping.end).contains(&here));
    if let Some(begin) = stack.map(|stack| stack.begin).filter(|begin| *begin < end) {
        // SAFETY: these pages of the stack are in use by nobody: all frames are above.
        let _ = unsafe {
            kernel::call(libc::SYS_madvise, [begin, end - begin, libc::MADV_DONTNEED as u64, 0, 0, 0])
        };
    }
}

/// Our own segments, by an address of ours.
fn find_ourselves(mappings: &[maps::Mapping]) {
    let here = start as *const () as u64;
    let own = mappings.iter().find(|mapping| (mapping.begin..mapping.end).contains(&here));
    let Some(own) = own else { return };
    CODE[0].store(own.begin, Ordering::Relaxed);
    CODE[1].store(own.end, Ordering::Relaxed);
    let mut all = mappings.iter().filter(|mapping| mapping.name == own.name);
    let begin = all.next().map_or(own.begin, |first| first.begin);
    let end = all.next_back().map_or(own.end, |last| last.end);
    // Variables that are zero at first and that the file's last page has no room for: a mapping without a name.
    let behind = mappings.iter().find(|mapping| mapping.begin == end && mapping.name.is_empty());
    MEMORY[0].store(begin, Ordering::Relaxed);
    MEMORY[1].store(behind.map_or(end, |zeros| zeros.end), Ordering::Relaxed);
}

/// From here on nothing of the program escapes us.
fn arm(thread: &mut Thread, stack: &InitialStack, mappings: &[maps::Mapping]) {
    if process::get().mode == Mode::Replay {
        kernel_side::use_signal_stack(thread::signal_stack_of(thread.area));
        for signal in (1..=64).filter(|signal| SYNCHRONOUS & bit(*signal) != 0) {
            kernel_side::catch(signal, 0);
        }
    }
    kernel_side::block(thread.blocked);
    sites::in_a_row(|| {
        clock::redirect(stack);
        // First: functions with instructions that were replaced cannot be read any more.
        order::points::install(mappings);
        order::objects::install(mappings);
        watch::install(thread, mappings);
        time_stamps::trap(mappings);
        if let Some(code) = layout::of_loader(stack, mappings).find(|mapping| mapping.executable) {
            sites::exclusively(|sites| sites.make_binding_repeatable(code.begin..code.end));
        }
    });
    // Last of what looks at the processor's state: what ld.so saves is all of it.
    processor::begin_image(stack, mappings);
    crate::debugger::begin_process(thread);
    stop::look(thread);
    if kmod_shim::dispatch::arm().is_err() {
        kernel::complain(&[b"this kernel has no Syscall User Dispatch (Linux 5.11 and later have it)"]);
        process::end_recording(b"system calls cannot be intercepted");
        if process::get().mode == Mode::Replay {
            kernel::exit(125);
        }
    }
}
