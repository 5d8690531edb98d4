//! The vDSO: time without a system call, which must be seen all the same.
//!
//! Its entry points are redirected to functions here. While recording they call the original and log what it
//! gave, which costs a few nanoseconds where a system call would cost seventy.

use crate::start::layout::InitialStack;
use crate::thread::{self, Thread};
use crate::{divergence, log, order, playback, process, sites, stop, time_stamps};
use core::arch::global_asm;
use core::sync::atomic::{AtomicU64, Ordering};
use kmod_shim::arch::native::raw;
use kmod_shim::patch::near_memory::Region;
use kmod_shim::vdso::{Function, Functions};
use tracer_core::event::Kind;
use tracer_core::session::Mode;

const AT_SYSINFO_EHDR: u64 = 33;

/// What the hooks call in place of the function that they hook, in the order of [`HOOKS`].
static ORIGINALS: [AtomicU64; 6] = [const { AtomicU64::new(0) }; 6];

/// One vDSO function: its name, the hook, and the system call that it stands for.
struct Hook {
    name: &'static [u8],
    hook: unsafe extern "C" fn(),
}

static HOOKS: [Hook; 6] = [
    Hook { name: b"__vdso_clock_gettime", hook: imitate_clock_gettime },
    Hook { name: b"__vdso_gettimeofday", hook: imitate_gettimeofday },
    Hook { name: b"__vdso_time", hook: imitate_time },
    Hook { name: b"__vdso_clock_getres", hook: imitate_clock_getres },
    Hook { name: b"__vdso_getcpu", hook: imitate_getcpu },
    Hook { name: b"__vdso_getrandom", hook: imitate_getrandom },
];

unsafe extern "C" {
    fn imitate_clock_gettime();
    fn imitate_gettimeofday();
    fn imitate_time();
    fn imitate_clock_getres();
    fn imitate_getcpu();
    fn imitate_getrandom();
}

// The time functions go to `timed` on the hook stack; the others become the system call of the same name,
// which is dispatched like any other. Both leave rcx, r11 and the stack below the program's the same in both
// modes.
global_asm!(
    ".pushsection .text.imitate_clock, \"ax\", @progbits",
    ".hidden imitate_clock_gettime",
    "imitate_clock_gettime:",
    "mov rdx, rsi",
    "mov rsi, rdi",
    "xor ecx, ecx",
    "jmp 2f",
    ".hidden imitate_gettimeofday",
    "imitate_gettimeofday:",
    "mov rdx, rsi",
    "mov rsi, rdi",
    "mov ecx, 1",
    "jmp 2f",
    ".hidden imitate_time",
    "imitate_time:",
    "mov rsi, rdi",
    "xor edx, edx",
    "mov ecx, 2",
    "2: lea rdi, [rip + {timed}]",
    "call imitate_on_hook_stack",
    crate::registers::clear_scratch!(),
    "ret",
    ".hidden imitate_clock_getres",
    "imitate_clock_getres:",
    "mov eax, 229",
    "jmp 3f",
    ".hidden imitate_getcpu",
    "imitate_getcpu:",
    "mov eax, 309",
    "jmp 3f",
    // The vDSO's generator keeps state in the program's memory; the system call gives the same kind of bytes.
    // Asked with an all-ones length for the size of that state, "not supported" makes callers use the call.
    ".hidden imitate_getrandom",
    "imitate_getrandom:",
    "cmp r8, -1",
    "jne 4f",
    "mov rax, -38",
    "ret",
    "4: mov eax, 318",
    "3: lea rcx, [rip + 5f]",
    "jmp imitate_entry",
    "5: ret",
    ".popsection",
    timed = sym timed,
);

/// The system calls that the first three hooks stand for.
const NUMBERS: [u16; 3] =
    [libc::SYS_clock_gettime as u16, libc::SYS_gettimeofday as u16, libc::SYS_time as u16];
const GETTIME: u64 = 0;
const GETTIMEOFDAY: u64 = 1;
const TIME: u64 = 2;

/// `which` function was called with these arguments.
extern "C" fn timed(first: u64, second: u64, which: u64) -> i64 {
    let thread = thread::current();
    thread.calls += 1;
    order::at_clock(thread);
    sites::give_back_named(&[first, second]);
    match process::get().mode {
        Mode::Record => record(thread, first, second, which),
        Mode::Replay => replay(thread, first, second, which),
    }
}

/// Nanoseconds at the kernel's last tick since some moment, 0 if the vDSO has no clock.
///
/// Each call that may sleep asks twice, so it is the clock that costs least: a look at a page of the kernel's, without
/// `rdtsc`, which may trap.
#[inline]
pub fn ticks(thread: &mut Thread) -> u64 {
    let original = ORIGINALS[GETTIME as usize].load(Ordering::Relaxed);
    if original == 0 {
        return 0;
    }
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    call_original(thread, original, libc::CLOCK_MONOTONIC_COARSE as u64, &raw mut time as u64);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Calls a function of the vDSO, by its address in [`ORIGINALS`].
#[inline]
fn call_original(thread: &mut Thread, original: u64, first: u64, second: u64) -> i64 {
    // SAFETY: the address is the relocated start of the vDSO function, of this signature.
    let original: extern "C" fn(u64, u64) -> i64 = unsafe { core::mem::transmute(original as *const ()) };
    // For a clock that it does not know, the vDSO makes the system call itself, which traps.
    let before = core::mem::replace(&mut thread.in_vdso, true);
    let result = original(first, second);
    thread.in_vdso = before;
    result
}

/// Where the function writes its two words (0: it does not).
fn target(first: u64, second: u64, which: u64) -> u64 {
    if which == GETTIME { second } else { first }
}

fn words_written(which: u64, target: u64) -> usize {
    match which {
        _ if target == 0 => 0,
        TIME => 1,
        _ => 2,
    }
}

/// Calls the original and logs what it gave. `gettimeofday`'s time zone is logged with it, as the second half
/// of a second event, only by the system call that a program with a time zone makes: glibc passes none.
fn record(thread: &mut Thread, first: u64, second: u64, which: u64) -> i64 {
    let result = if time_stamps::are_free() {
        call_original(thread, ORIGINALS[which as usize].load(Ordering::Relaxed), first, second)
    } else {
        // SAFETY: it is the program's own call, made by the system call that the function stands for.
        unsafe { raw::call(NUMBERS[which as usize] as i64, [first, second, 0, 0, 0, 0]) }
    };
    let target = target(first, second, which);
    let mut body = [result as u64, 0, 0];
    if result >= 0 {
        for (i, word) in body[1..].iter_mut().enumerate().take(words_written(which, target)) {
            // SAFETY: the function has just written there.
            *word = unsafe { *(target as *const u64).add(i) };
        }
    }
    log::words(thread, Kind::Clock, 0, NUMBERS[which as usize], &body);
    if which == GETTIMEOFDAY && second != 0 {
        clear_time_zone(second);
    }
    result
}

/// The kernel's time zone is obsolete and zero on every system that follows POSIX; both modes say so.
fn clear_time_zone(address: u64) {
    log::write_program(address, &[0u8; 8]);
}

fn replay(thread: &mut Thread, first: u64, second: u64, which: u64) -> i64 {
    let number = NUMBERS[which as usize];
    playback::plain(thread, Kind::Clock, number, b"a clock read");
    let body: [u64; 3] = playback::value(thread);
    let result = body[0] as i64;
    let target = target(first, second, which);
    if result >= 0 {
        for (i, word) in body[1..].iter().enumerate().take(words_written(which, target)) {
            let address = target + 8 * i as u64;
            if !log::write_program(address, &word.to_le_bytes()) {
                divergence::unwritable(thread, address, 8);
            }
        }
    }
    if which == GETTIMEOFDAY && second != 0 {
        clear_time_zone(second);
    }
    stop::look(thread);
    result
}

/// Redirects the vDSO's functions. One that cannot be redirected would give results that nobody logs: its
/// first bytes become the system call itself.
pub fn redirect(stack: &InitialStack) {
    let Some(base) = stack.auxiliary(AT_SYSINFO_EHDR) else { return };
    // SAFETY: AT_SYSINFO_EHDR is the address of the vDSO's ELF image, mapped for as long as the process lives.
    let functions = unsafe { Functions::at(base) };
    for (hook, original) in HOOKS.iter().zip(&ORIGINALS) {
        let Some(Function { address, .. }) = functions.find(hook.name) else { continue };
        let redirected = sites::exclusively(|sites| {
            sites.redirect(base, address, hook.hook as *const () as u64, Region::Common)
        });
        match redirected {
            Some(continued) => original.store(continued, Ordering::Relaxed),
            None => process::end_recording(b"a function of this kernel's vDSO cannot be redirected"),
        }
    }
}
