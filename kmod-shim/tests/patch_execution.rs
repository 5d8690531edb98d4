//! Rewritten code, run: small functions before and after, with all registers; libc with all its sites
//! rewritten at once; the vDSO with a hook before its functions.

#[path = "patch_support/process.rs"]
mod process;

use std::arch::global_asm;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use kmod_shim::patch::decode::{Flow, decode};
use kmod_shim::patch::eh_frame::{Segment, function_containing};
use kmod_shim::patch::object::Object;
use kmod_shim::patch::{Others, Refusal, Rewriter};
use process::{Direct, in_child, mapping_of, mappings, object_containing};

/// How often the entry below was passed.
#[unsafe(no_mangle)]
static PATCH_TEST_ENTRIES: AtomicU64 = AtomicU64::new(0);

/// All that a program can compare before and after: rax to r15 but rsp, the flags, and the red zone.
const STATE_WORDS: usize = 17;
type State = [u64; STATE_WORDS];

global_asm!(
    // What a recorder's entry does, without the recording: the call, and on at the address in rcx with the
    // registers as the kernel leaves them. It counts below the red zone, and without touching the flags.
    ".globl patch_test_entry",
    "patch_test_entry:",
    "mov [rsp - 256], rcx",
    "mov [rsp - 264], rax",
    "mov rax, [rip + PATCH_TEST_ENTRIES]",
    "lea rax, [rax + 1]",
    "mov [rip + PATCH_TEST_ENTRIES], rax",
    "mov rax, [rsp - 264]",
    "syscall",
    "mov rcx, [rsp - 256]",
    "jmp rcx",
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
    fn patch_test_entry();
    fn patch_test_run(function: unsafe extern "C" fn(), state: *mut State);
    fn patch_test_plain();
    fn patch_test_plain_site();
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

fn rewriter() -> Rewriter<Direct> {
    Rewriter::new(Direct, address(patch_test_entry))
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
    let mut rewriter = rewriter();
    for (name, function, site) in rows {
        let before: Vec<State> = inputs.iter().map(|&input| run(function, input)).collect();
        let object = object_containing(address(function));
        let entries = PATCH_TEST_ENTRIES.load(Ordering::Relaxed);
        // SAFETY: the object is this program; nobody else runs these functions.
        unsafe { rewriter.rewrite(&object, address(site), Others::Stopped) }
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        let after: Vec<State> = inputs.iter().map(|&input| run(function, input)).collect();
        assert_eq!(after, before, "{name}");
        assert!(PATCH_TEST_ENTRIES.load(Ordering::Relaxed) > entries, "{name}: the stub was not used");
        // SAFETY: as above.
        let again = unsafe { rewriter.rewrite(&object, address(site), Others::Stopped) };
        assert_eq!(again, Err(Refusal::AlreadyPatched), "{name}");
        assert_eq!(mapping_of(address(function)).protection, "r-xp", "{name}");
    }
    for stubs in rewriter.mappings() {
        assert_eq!(mapping_of(stubs.start).protection, "r-xp");
        let origins = stubs.filter_map(|address| rewriter.origin(address));
        let object = object_containing(address(patch_test_plain));
        assert!(origins.min().is_some_and(|origin| object.code.contains(&origin)));
    }
}

/// The `syscall` instructions of the function that contains `address`.
fn sites_of(object: &Object, code: &Segment, function: &Range<u64>) -> Vec<u64> {
    assert!(object.code.contains(&function.start));
    let mut bytes = code.get(function.clone()).expect("the function's code");
    let mut address = function.start;
    let mut sites = Vec::new();
    while let Some(instruction) = decode(bytes) {
        if instruction.flow == Flow::Syscall {
            sites.push(address);
        }
        address += instruction.length as u64;
        bytes = &bytes[instruction.length..];
    }
    sites
}

/// The memory of a loaded segment, copied.
fn copy(range: &Range<u64>) -> Vec<u8> {
    // SAFETY: the segments of a loaded object are readable.
    unsafe { std::slice::from_raw_parts(range.start as *const u8, (range.end - range.start) as usize) }.to_vec()
}

/// All functions of `object` and their sites.
fn all_sites(object: &Object) -> Vec<u64> {
    let (code, unwind) = (copy(&object.code), copy(&object.unwind));
    let code = Segment { address: object.code.start, bytes: &code };
    let unwind = Segment { address: object.unwind.start, bytes: &unwind };
    let mut sites = Vec::new();
    let mut address = object.code.start;
    while address < object.code.end {
        match function_containing(&unwind, object.unwind_header, address) {
            Some(function) if function.range.start >= address => {
                sites.extend(sites_of(object, &code, &function.range));
                address = function.range.end.max(address + 1);
            }
            _ => address += 1,
        }
    }
    sites
}

#[test]
fn libc_works_with_every_site_rewritten() {
    /// A new thread or process has no place for the test's entry to keep its return address in.
    fn starts_something(site: u64, code: &[u8], start: u64) -> bool {
        let end = (site - start) as usize;
        [56_u8, 57, 58].iter().any(|number| {
            code[end.saturating_sub(16)..end].windows(5).any(|bytes| bytes == [0xb8, *number, 0, 0, 0])
        }) || code[end.saturating_sub(5)..end] == [0xb8, 0xb3, 0x01, 0, 0]
    }
    in_child(|| {
        let object = object_containing(libc::getppid as *const () as u64);
        let code = copy(&object.code);
        let mut rewriter = rewriter();
        let (mut rewritten, mut refused) = (0, 0);
        let sites = all_sites(&object);
        let t = std::time::Instant::now();
        for &site in sites.iter().filter(|&&site| !starts_something(site, &code, object.code.start)) {
            // SAFETY: the object is libc, and this process has one thread.
            match unsafe { rewriter.rewrite(&object, site, Others::Stopped) } {
                Ok(()) => rewritten += 1,
                Err(_) => refused += 1,
            }
        }
        println!("PROBE {:?} each", t.elapsed() / (rewritten + refused));
        assert!(rewritten > 400 && refused < 12, "{rewritten} rewritten, {refused} refused");
        let text: Vec<_> = mappings().into_iter().filter(|mapping| mapping.range.start == object.code.start).collect();
        assert_eq!(text[0].range.end, object.code.end.next_multiple_of(4096), "the code is one mapping again");

        let before = PATCH_TEST_ENTRIES.load(Ordering::Relaxed);
        use_libc();
        let passed = PATCH_TEST_ENTRIES.load(Ordering::Relaxed) - before;
        assert!(passed > 100, "only {passed} calls came through the stubs");

        assert_eq!(rewriter.mappings().count(), 1, "500 stubs fit in one arena");
    });
}

/// A bit of everything that makes system calls.
fn use_libc() {
    let directory = std::env::temp_dir().join(format!("imitate-patch-{}", std::process::id()));
    std::fs::create_dir(&directory).expect("a directory");
    for index in 0..20 {
        let file = directory.join(index.to_string());
        std::fs::write(&file, vec![index; 100_000]).expect("a file");
        assert_eq!(std::fs::read(&file).expect("the file"), vec![index; 100_000]);
    }
    let count = std::fs::read_dir(&directory).expect("the directory").count();
    assert_eq!(count, 20);
    std::fs::remove_dir_all(&directory).expect("no directory");
    let missing = std::fs::File::open(&directory).expect_err("nothing");
    assert_eq!(missing.kind(), std::io::ErrorKind::NotFound);
    let (mut reader, mut writer) = std::io::pipe().expect("a pipe");
    std::io::Write::write_all(&mut writer, b"through").expect("written");
    let mut through = [0; 7];
    std::io::Read::read_exact(&mut reader, &mut through).expect("read");
    assert_eq!(&through, b"through");
    // SAFETY: these calls have no preconditions.
    let (parent, own) = unsafe { (libc::getppid(), libc::syscall(libc::SYS_getpid)) };
    assert!(parent > 0);
    assert_eq!(own, i64::from(std::process::id()));
}

/// `__vdso_clock_gettime`, moved.
static ORIGINAL: AtomicU64 = AtomicU64::new(0);
static HOOKED: AtomicU64 = AtomicU64::new(0);

type ClockGetTime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> i32;

extern "C" fn hook(clock: libc::clockid_t, time: *mut libc::timespec) -> i32 {
    HOOKED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: set to the moved function before the hook is; the arguments are passed on.
    unsafe { std::mem::transmute::<u64, ClockGetTime>(ORIGINAL.load(Ordering::Relaxed))(clock, time) }
}

/// The vDSO's dynamic functions, by name.
fn vdso_functions(object: &Object) -> Vec<(String, u64)> {
    use object::{Object as _, ObjectSymbol};
    // Its section headers, beyond its only segment, are mapped too.
    let image = copy(&mapping_of(object.mapped.start).range);
    let file = object::File::parse(&*image).expect("the vDSO is an ELF object");
    let functions = file.dynamic_symbols().filter(|symbol| symbol.size() > 0);
    functions
        .map(|symbol| (symbol.name().expect("a name").to_owned(), symbol.address() + object.mapped.start))
        .filter(|(name, _)| name.starts_with("__vdso_"))
        .collect()
}

#[test]
fn vdso_functions_can_be_hooked_and_still_called() {
    in_child(|| {
        let start = mappings().into_iter().find(|mapping| mapping.name == "[vdso]").expect("a vDSO").range.start;
        let probe = object_containing(start);
        let functions = vdso_functions(&probe);
        let mut rewriter = rewriter();
        for (name, function) in &functions {
            // SAFETY: the object is the vDSO, and this process has one thread, which is here. The hook has the
            // signature of the one function that is called below.
            let original = unsafe { rewriter.redirect(&probe, *function, address_of_hook(), Others::Stopped) };
            let original = original.unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
            if name == "__vdso_clock_gettime" {
                ORIGINAL.store(original, Ordering::Relaxed);
            }
            assert!(rewriter.origin(original).is_some_and(|origin| origin == *function), "{name}");
        }
        assert!(functions.len() >= 5, "{functions:x?}");

        let clock_gettime = functions.iter().find(|(name, _)| name == "__vdso_clock_gettime").expect("it").1;
        // SAFETY: the address of a function of this signature, redirected to one of this signature.
        let clock_gettime = unsafe { std::mem::transmute::<u64, ClockGetTime>(clock_gettime) };
        let mut times = [libc::timespec { tv_sec: 0, tv_nsec: 0 }; 3];
        // SAFETY: each call fills one of the times; the middle one goes to the kernel.
        unsafe {
            assert_eq!(clock_gettime(libc::CLOCK_MONOTONIC, &raw mut times[0]), 0);
            assert_eq!(libc::syscall(libc::SYS_clock_gettime, libc::CLOCK_MONOTONIC, &raw mut times[1]), 0);
            assert_eq!(clock_gettime(libc::CLOCK_MONOTONIC, &raw mut times[2]), 0);
        }
        let times = times.map(|time| (time.tv_sec, time.tv_nsec));
        assert!(times.is_sorted() && times[0].0 > 0, "{times:?}");
        assert_eq!(HOOKED.load(Ordering::Relaxed), 2);
        assert_eq!(mapping_of(start).protection, "r-xp");
    });
}

fn address_of_hook() -> u64 {
    hook as *const () as u64
}
