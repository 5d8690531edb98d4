//! A stack for operations, one for each thread.
//!
//! How deep libc goes in an operation, and what it leaves below the program's stack pointer, depends on whether it had to
//! wait; what our hooks leave there depends on the mode. Programs do pass on bytes that they never wrote (SQLite gives
//! fcntl a structure with such a field, for one), and these are to be the same in replay. So hooks run on a stack of ours,
//! with the functions that they call.
//!
//! A thread that is cancelled in an operation is unwound from here to its own stack: the frame between them says how.
//!
//! An object that is not there is the program's fault, and a common one: a lock in a structure behind a null pointer. Hooks
//! look at objects, and so do other functions of libc in replay than in the recording. So an entry reads a byte of them
//! first. What fails there goes on in the function itself, which fails as it does without us ([`lacks_object`]).

use super::original::Original;
use super::quick;
use crate::start::{self, is_our_code};
use crate::thread::OPERATION_STACK;
use core::arch::global_asm;
use core::ffi::c_void;
use core::mem::offset_of;
use core::ptr;
use core::sync::atomic::{AtomicPtr, AtomicU64, Ordering};
use kmod_shim::arch::native::entry::ThreadRegister;

/// How many functions can have hooks on this stack.
const ENTRIES: usize = 96;
/// Bytes from one entry to the next.
const STRIDE: u64 = 16;

/// Bytes of the instruction that reads an object, at the beginning of an entry: that of the second argument, then that of the
/// first. What has fewer objects begins behind.
const READ: u64 = 2;
/// Arguments that can be objects.
const OBJECTS: u64 = 2;

static HOOKS: [AtomicU64; ENTRIES] = [const { AtomicU64::new(0) }; ENTRIES];
/// The functions that these are hooks of.
static FUNCTIONS: [AtomicPtr<Original>; ENTRIES] = [const { AtomicPtr::new(ptr::null_mut()) }; ENTRIES];

unsafe extern "C" {
    fn imitate_operations();
    fn imitate_operate(first: u64, second: u64, third: u64, function: u64) -> u64;
}

global_asm!(
    ".pushsection .text.imitate_operations, \"ax\", @progbits",
    ".balign {stride}",
    ".hidden imitate_operations",
    ".globl imitate_operations",
    "imitate_operations:",
    ".cfi_startproc",
    ".set imitate_operation, 0",
    ".rept {entries}",
    ".balign {stride}",
    ".byte 0x3a, 0x06", // cmp al, [rsi]
    ".byte 0x3a, 0x07", // cmp al, [rdi]
    "mov eax, imitate_operation",
    "jmp 3f",
    ".set imitate_operation, imitate_operation + 1",
    ".endr",
    ".balign {stride}",
    ".hidden imitate_operate",
    ".globl imitate_operate",
    "imitate_operate:",
    "mov rax, rcx",
    "jmp 2f",
    "3: lea r11, [rip + {hooks}]",
    "mov rax, [r11 + 8 * rax]",
    "2:",
    // A function of libc that a hook has called, and that calls one with a hook, is there already.
    "mov r11, gs:[{stack}]",
    "mov r10, r11",
    "sub r10, rsp",
    "cmp r10, {size}",
    "jae 4f",
    "jmp rax",
    "4:",
    "push rbp",
    ".cfi_def_cfa_offset 16",
    ".cfi_offset rbp, -16",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "mov r10, gs:[{program}]",
    "lea rsp, [r11 - 32]",
    "mov [rsp], r11",
    "mov [rsp + 8], r10",
    "mov gs:[{program}], rbp",
    // Debuggers are to find the program behind it, as at imitate_on_hook_stack.
    "__morestack:",
    "call rax",
    "mov r11, [rsp]",
    "mov r10, [rsp + 8]",
    "mov gs:[{stack}], r11",
    "mov gs:[{program}], r10",
    "mov rsp, rbp",
    "pop rbp",
    ".cfi_def_cfa rsp, 8",
    "ret",
    ".cfi_endproc",
    ".popsection",
    stride = const STRIDE,
    entries = const ENTRIES,
    size = const OPERATION_STACK,
    hooks = sym HOOKS,
    stack = const offset_of!(ThreadRegister, operation_stack),
    program = const offset_of!(ThreadRegister, program_stack),
);

/// Gives an address that runs `hook` on the stack for operations; `None` if there are too many.
pub fn entry(hook: u64) -> Option<u64> {
    place(hook, ptr::null_mut()).map(|begin| begin + READ * OBJECTS)
}

/// As [`entry`], for `function`, whose first `objects` arguments, two at most, are addresses of objects.
pub fn entry_with_objects(hook: u64, function: &'static Original, objects: u64) -> Option<u64> {
    place(hook, ptr::from_ref(function).cast_mut()).map(|begin| begin + READ * (OBJECTS - objects))
}

fn place(hook: u64, function: *mut Original) -> Option<u64> {
    let free = HOOKS.iter().position(|entry| {
        let found = entry.load(Ordering::Relaxed);
        found == 0 || found == hook
    })?;
    HOOKS[free].store(hook, Ordering::Relaxed);
    FUNCTIONS[free].store(function, Ordering::Relaxed);
    Some(imitate_operations as *const () as u64 + STRIDE * free as u64)
}

/// What to do about a fault in an entry.
pub enum Lacking {
    /// Go on here, where the function will fail.
    GoOn(u64),
    /// It is the entry's own: the function's code is not there any more, or the entry may be executed again.
    Fail,
}

/// Whether the fault of an instruction at `rip`, which has accessed `address`, says that an object is not there. Where something is
/// mapped, a handler may make it accessible: then the entry is to be executed again.
pub fn lacks_object(rip: u64, address: u64) -> Option<Lacking> {
    if let Some(usual) = quick::fails_at(rip) {
        return Some(Lacking::GoOn(usual));
    }
    let offset = rip.checked_sub(imitate_operations as *const () as u64)?;
    let function = FUNCTIONS.get((offset / STRIDE) as usize)?.load(Ordering::Relaxed);
    if offset % STRIDE >= READ * OBJECTS || function.is_null() {
        return None;
    }
    // SAFETY: the address of a static.
    let place = unsafe { (*function).place() };
    let is_entrys = is_our_code(place) || start::is_writable(address).is_some();
    Some(if is_entrys { Lacking::Fail } else { Lacking::GoOn(place) })
}

/// What is to be done, and what came of it.
struct Task<A, R> {
    action: Option<A>,
    result: Option<R>,
}

extern "C" fn perform<A: FnOnce() -> R, R>(task: *mut c_void) {
    // SAFETY: `run` passes its own, which waits.
    let task = unsafe { &mut *task.cast::<Task<A, R>>() };
    task.result = task.action.take().map(|action| action());
}

/// Runs `action` on the stack for operations.
pub fn run<A: FnOnce() -> R, R>(action: A) -> R {
    let mut task = Task { action: Some(action), result: None };
    let function: extern "C" fn(*mut c_void) = perform::<A, R>;
    // SAFETY: the function takes the address of a task of its own type.
    unsafe { imitate_operate((&raw mut task) as u64, 0, 0, function as usize as u64) };
    match task.result {
        Some(result) => result,
        // It returns only when it has set it.
        None => crate::kernel::exit(70),
    }
}
