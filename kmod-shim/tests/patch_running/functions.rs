//! Small functions run before and after they are rewritten: all registers and flags compared, other threads
//! running them meanwhile.

use std::arch::global_asm;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use kmod_shim::patch::{Others, Refusal};

use crate::entry::{entries, rewriter};
use crate::process::{Direct, mapping_of, object_containing};

/// All that a program can compare before and after: rax to r15 but rsp, the flags, and the red zone.
const STATE_WORDS: usize = 17;
type State = [u64; STATE_WORDS];

global_asm!(
    // fn(function, state): loads the registers and flags, calls, and stores them again.
    ".globl patch_test_run",
    "patch_test_run:",
    "push rbx",
    "push rbp",
    "push r12",
    "push r13",
    "push r14",
    "push r15",
    "push rsi",
    "push rdi",
    "push [rsi + 120]",
    "popfq",
    "mov rax, [rsi]",
    "mov rbx, [rsi + 8]",
    "mov rcx, [rsi + 16]",
    "mov rdx, [rsi + 24]",
    "mov rdi, [rsi + 40]",
    "mov rbp, [rsi + 48]",
    "mov r8, [rsi + 56]",
    "mov r9, [rsi + 64]",
    "mov r10, [rsi + 72]",
    "mov r11, [rsi + 80]",
    "mov r12, [rsi + 88]",
    "mov r13, [rsi + 96]",
    "mov r14, [rsi + 104]",
    "mov r15, [rsi + 112]",
    "mov rsi, [rsi + 32]",
    "call [rsp]",
    "xchg rsi, [rsp + 8]",
    "mov [rsi], rax",
    "mov [rsi + 8], rbx",
    "mov [rsi + 16], rcx",
    "mov [rsi + 24], rdx",
    "mov [rsi + 40], rdi",
    "mov [rsi + 48], rbp",
    "mov [rsi + 56], r8",
    "mov [rsi + 64], r9",
    "mov [rsi + 72], r10",
    "mov [rsi + 80], r11",
    "mov [rsi + 88], r12",
    "mov [rsi + 96], r13",
    "mov [rsi + 104], r14",
    "mov [rsi + 112], r15",
    "pushfq",
    "pop [rsi + 120]",
    // The function's red zone began at its return address, which the call left just below.
    "mov rax, [rsp - 16]",
    "mov [rsi + 128], rax",
    "mov rax, [rsp + 8]",
    "mov [rsi + 32], rax",
    "pop rdi",
    "pop rsi",
    "pop r15",
    "pop r14",
    "pop r13",
    "pop r12",
    "pop rbp",
    "pop rbx",
    "ret",
    // The commonest site: getpid().
    ".balign 16",
    ".globl patch_test_plain",
    "patch_test_plain:",
    ".cfi_startproc",
    "mov [rsp - 8], r12",
    "mov eax, 39",
    "patch_test_plain_site:",
    ".globl patch_test_plain_site",
    "syscall",
    "ret",
    ".cfi_endproc",
    // One whose jump is within an aligned word, and one whose jump is not.
    ".balign 16",
    ".globl patch_test_shared",
    "patch_test_shared:",
    ".cfi_startproc",
    "mov eax, 39",
    "syscall",
    "ret",
    ".cfi_endproc",
    ".balign 16",
    ".globl patch_test_crossing",
    "patch_test_crossing:",
    ".cfi_startproc",
    "push rax",
    "pop rax",
    "xor eax, eax",
    "nop",
    "mov eax, 39",
    "syscall",
    "ret",
    ".cfi_endproc",
    // Operands relative to the instruction pointer, and flags that are set before the site and used after it.
    ".balign 16",
    ".globl patch_test_relative",
    "patch_test_relative:",
    ".cfi_startproc",
    "mov [rsp - 8], r13",
    "cmp r14, r15",
    "lea rbx, [rip + patch_test_relative]",
    "mov ebp, [rip + 2f]",
    "mov al, 39",
    "movzx eax, al",
    ".globl patch_test_relative_site",
    "patch_test_relative_site:",
    "syscall",
    "jb 1f",
    "mov edi, 1",
    "1: ret",
    ".cfi_endproc",
    "2: .long 0x7fffffff",
    // Branches on the way: a short one out of it, and one that skips the instruction that is replaced.
    ".balign 16",
    ".globl patch_test_branches",
    "patch_test_branches:",
    ".cfi_startproc",
    "mov [rsp - 8], r15",
    "test r12, r12",
    "jz 3f",
    "test r13, r13",
    "mov eax, 110",
    "jz 4f",
    "nop",
    "2:",
    ".globl patch_test_branches_site",
    "patch_test_branches_site:",
    "syscall",
    "ret",
    "3: mov al, 39",
    "movzx eax, al",
    "jmp 2b",
    "4: xor eax, eax",
    "ret",
    ".cfi_endproc",
);

unsafe extern "C" {
    fn patch_test_run(function: unsafe extern "C" fn(), state: *mut State);
    fn patch_test_plain();
    fn patch_test_plain_site();
    fn patch_test_shared();
    fn patch_test_crossing();
    fn patch_test_relative();
    fn patch_test_relative_site();
    fn patch_test_branches();
    fn patch_test_branches_site();
}

fn run(function: unsafe extern "C" fn(), mut state: State) -> State {
    // SAFETY: the functions above keep the stack and what the calling convention asks of `patch_test_run`.
    unsafe { patch_test_run(function, &raw mut state) };
    state
}

fn address(function: unsafe extern "C" fn()) -> u64 {
    function as usize as u64
}

/// Different values in all registers; ordinary flags (interrupts enabled and the bit that is always set).
fn state(seed: u64, flags: u64) -> State {
    let mut state: State = std::array::from_fn(|index| seed.wrapping_mul(index as u64 + 1) | 1);
    state[15] = 0x202 | flags;
    state
}

#[test]
fn a_rewritten_function_leaves_the_same_registers() {
    const R12: usize = 11;
    const R13: usize = 12;
    type Row = (&'static str, unsafe extern "C" fn(), unsafe extern "C" fn());
    let rows: [Row; 3] = [
        ("plain", patch_test_plain, patch_test_plain_site),
        ("relative", patch_test_relative, patch_test_relative_site),
        ("branches", patch_test_branches, patch_test_branches_site),
    ];
    let mut inputs = Vec::new();
    for flags in [0, 0x8d5] {
        for (r12, r13) in [(1, 1), (0, 1), (1, 0)] {
            let mut input = state(0x0123_4567_89ab_cdef, flags);
            (input[R12], input[R13]) = (r12, r13);
            inputs.push(input);
        }
    }
    let mut rewriter = rewriter(Direct);
    for (name, function, site) in rows {
        let before: Vec<State> = inputs.iter().map(|&input| run(function, input)).collect();
        let object = object_containing(address(function));
        let before_entries = entries();
        // SAFETY: the object is this program; nobody else runs these functions.
        unsafe { rewriter.rewrite(&object, address(site), Others::Stopped) }
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let after: Vec<State> = inputs.iter().map(|&input| run(function, input)).collect();
        assert_eq!(after, before, "{name}");
        assert!(entries() > before_entries, "{name}: the stub was not used");
        // SAFETY: as above.
        let again = unsafe { rewriter.rewrite(&object, address(site), Others::Stopped) };
        assert_eq!(again, Err(Refusal::AlreadyPatched), "{name}");
        assert_eq!(mapping_of(address(function)).protection, "r-xp", "{name}");
    }
    let object = object_containing(address(patch_test_plain));
    let origins = rewriter.mappings().flatten().filter_map(|address| rewriter.origin(address));
    assert!(origins.min().is_some_and(|origin| object.code.contains(&origin)));
    // As if another object had been loaded there: what is in memory now is what it is.
    rewriter.forget(&object.mapped);
    assert!(rewriter.mappings().flatten().all(|address| rewriter.origin(address).is_none()));
}

#[test]
fn a_function_can_be_rewritten_while_threads_run_it() {
    let site = address(patch_test_shared) + 5;
    let object = object_containing(site);
    let mut rewriter = rewriter(Direct);
    let (before, after) = (AtomicU64::new(0), AtomicU64::new(0));
    let rewritten = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while after.load(Ordering::Relaxed) < 10_000 {
                    let count = if rewritten.load(Ordering::Acquire) { &after } else { &before };
                    let found = run(patch_test_shared, state(3, 0))[0];
                    assert_eq!(found, u64::from(std::process::id()));
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        while before.load(Ordering::Relaxed) < 10_000 {
            std::hint::spin_loop();
        }
        // SAFETY: the object is this program; the store is in one piece.
        unsafe { rewriter.rewrite(&object, site, Others::Running) }.expect("the jump fits into one word");
        rewritten.store(true, Ordering::Release);
    });
    assert!(entries() > 0);
    // SAFETY: as above; this one's jump would cross two words.
    let crossing = unsafe { rewriter.rewrite(&object, address(patch_test_crossing) + 10, Others::Running) };
    assert_eq!(crossing, Err(Refusal::NotAtomic));
}
