//! Functions whose first instructions lead through a trampoline do what they did, and trap when all is equal.

use kmod_shim::stop::place::Room;
use kmod_shim::stop::trampoline::{
    Condition, MAPPING_LENGTH, Source, Trampoline, UNDEFINED, candidates, compose, entry, mapping_start,
};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard};

/// mov r10, rcx; lea rax, [rdi + rsi]; movq xmm3, rsi; cmp rdi, rsi; mov rdx, rax; nop; jb over; add rax, 7;
/// over: xor rcx, r10; add rax, rcx; ret. The result depends on the carry flag, and on rcx being kept.
const FUNCTION: [u8; 33] = [
    0x49, 0x89, 0xca, 0x48, 0x8d, 0x04, 0x37, 0x66, 0x48, 0x0f, 0x6e, 0xde, 0x48, 0x39, 0xf7, 0x48, 0x89,
    0xc2, 0x66, 0x90, 0x72, 0x04, 0x48, 0x83, 0xc0, 0x07, 0x4c, 0x31, 0xd1, 0x48, 0x01, 0xc8, 0xc3,
];
/// After the comparison: flags, rdi, rsi and xmm3 are what they are at the end.
const COMPARED: usize = 15;
/// Here the branch is among the instructions that are moved.
const BRANCH: usize = 18;

static PASSED: AtomicU64 = AtomicU64::new(0);
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

/// The instruction that is none is over.
extern "C" fn count(_: i32, _: *mut libc::siginfo_t, context: *mut libc::ucontext_t) {
    PASSED.fetch_add(1, Ordering::Relaxed);
    // SAFETY: the kernel passes the thread's registers.
    unsafe { (*context).uc_mcontext.gregs[libc::REG_RIP as usize] += 1 };
}

fn map(address: u64, length: u64) -> Option<u64> {
    let protection = libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC;
    let fixed = if address == 0 { 0 } else { libc::MAP_FIXED_NOREPLACE };
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | fixed;
    // SAFETY: nothing that exists is replaced.
    let mapped = unsafe { libc::mmap(address as *mut _, length as usize, protection, flags, -1, 0) };
    (mapped != libc::MAP_FAILED).then_some(mapped as u64)
}

fn write(address: u64, bytes: &[u8]) {
    // SAFETY: called with addresses in mappings that this file made, and nobody executes them now.
    unsafe { std::ptr::copy_nonoverlapping(bytes.as_ptr(), address as *mut u8, bytes.len()) };
}

fn read(address: u64, target: &mut [u8]) -> usize {
    // SAFETY: called with addresses at the start of a mapping of a page, for a few bytes.
    unsafe { std::ptr::copy_nonoverlapping(address as *const u8, target.as_mut_ptr(), target.len()) };
    target.len()
}

/// The function in memory of its own, watched at an offset.
struct Watched {
    start: u64,
    trampoline: Trampoline,
    _alone: MutexGuard<'static, ()>,
}

impl Watched {
    fn new(offset: usize, conditions: &[Condition]) -> Watched {
        Watched::by(offset, conditions, |_| true)
    }

    /// By a jump whose bytes are as wanted.
    fn by(offset: usize, conditions: &[Condition], wanted: impl Fn([u8; 5]) -> bool) -> Watched {
        Watched::of(&FUNCTION, offset, conditions, wanted)
    }

    /// Another function.
    fn of(
        function: &[u8],
        offset: usize,
        conditions: &[Condition],
        wanted: impl Fn([u8; 5]) -> bool,
    ) -> Watched {
        let alone = ONE_AT_A_TIME.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // SAFETY: all-zero is a valid value; the handler only counts and goes on.
        unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = count as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO;
            libc::sigaction(libc::SIGILL, &action, std::ptr::null_mut());
        }
        let start = map(0, 4096).expect("a page");
        write(start, function);
        let room = Room::at(&read, start + offset as u64).expect("room");
        assert!(room.has_jump());
        let address = candidates(&room)
            .filter(|address| wanted(entry(&room, *address).expect("a jump")))
            .find(|address| map(mapping_start(*address), MAPPING_LENGTH).is_some())
            .expect("memory near the function");
        let trampoline = compose(&room, address, conditions, true).expect("a trampoline");
        write(address, trampoline.code.bytes());
        write(room.address, &entry(&room, address).expect("a jump"));
        Watched { start, trampoline, _alone: alone }
    }

    /// The function's result, and whether it has trapped.
    fn call(&self, a: u64, b: u64) -> (u64, bool) {
        // SAFETY: the function has this signature, and keeps what it must.
        let function: extern "C" fn(u64, u64) -> u64 =
            unsafe { std::mem::transmute(self.start as *const ()) };
        let before = PASSED.load(Ordering::Relaxed);
        let result = function(a, b);
        (result, PASSED.load(Ordering::Relaxed) != before)
    }
}

fn expected(a: u64, b: u64) -> u64 {
    a.wrapping_add(b).wrapping_add(if a < b { 0 } else { 7 })
}

const A: u64 = 0x1_0000_0002;
const B: u64 = 0x3_0000_0004;

fn register(number: u8, half: u8, value: u32) -> Condition {
    Condition { source: Source::Register { number, half }, value }
}

#[test]
fn a_trap_comes_when_all_words_are_equal_and_only_then() {
    const RDI: u8 = 7;
    const RSI: u8 = 6;
    let lane = |lane, value| Condition { source: Source::Vector { number: 3, lane }, value };
    let rows: [&[Condition]; 5] = [
        &[register(RDI, 0, 2)],
        &[register(RDI, 1, 1)],
        &[register(RSI, 1, 3), register(RDI, 0, 2), register(RSI, 0, 4)],
        &[lane(0, 4), lane(1, 3)],
        &[register(RDI, 0, 2), register(RDI, 1, 1), lane(0, 4), lane(1, 3)],
    ];
    for conditions in rows {
        let watched = Watched::new(COMPARED, conditions);
        assert_eq!(watched.call(A, B), (expected(A, B), true), "{conditions:?}");
        assert_eq!(watched.call(B + 1, A + 1), (expected(B + 1, A + 1), false), "{conditions:?}");
        assert_eq!(watched.call(5, 6), (expected(5, 6), false), "{conditions:?}");
    }
}

#[test]
fn memory_is_a_word_of_the_state() {
    let word = AtomicU64::new(9 << 32 | 8);
    let address = word.as_ptr() as u64;
    let at = |address, value| Condition { source: Source::Memory { address }, value };
    let watched = Watched::new(COMPARED, &[at(address, 8), at(address + 4, 9)]);
    assert_eq!(watched.call(A, B), (expected(A, B), true));
    word.store(9 << 32 | 7, Ordering::Relaxed);
    assert_eq!(watched.call(A, B), (expected(A, B), false));
}

#[test]
fn every_place_of_the_function_can_be_watched() {
    for offset in [0, 3, 7, 12, COMPARED, BRANCH] {
        let watched = Watched::new(offset, &[register(7, 0, 77)]);
        for (a, b) in [(1, 2), (2, 1), (u64::MAX, 5), (5, u64::MAX)] {
            assert_eq!(watched.call(a, b), (expected(a, b), false), "at {offset}: {a}, {b}");
        }
        assert_eq!(watched.call(77, 1), (expected(77, 1), true), "at {offset}");
    }
}

/// sub rsp, 8; call callee; add rsp, 8; ret; callee: mov rax, [rsp]; add rax, rdi; ret. The result depends on the address that the
/// call returns to.
const CALLER: [u8; 22] = [
    0x48, 0x83, 0xec, 8, 0xe8, 5, 0, 0, 0, 0x48, 0x83, 0xc4, 8, 0xc3, 0x48, 0x8b, 4, 0x24, 0x48, 1, 0xf8,
    0xc3,
];

#[test]
fn a_call_that_is_moved_returns_to_where_it_was() {
    for offset in [0, 4] {
        let watched = Watched::of(&CALLER, offset, &[register(7, 0, 77)], |_| true);
        let returned = watched.start + 9;
        assert_eq!(watched.call(5, 0), (returned + 5, false), "at {offset}");
        assert_eq!(watched.call(77, 0), (returned + 77, true), "at {offset}");
    }
}

#[test]
fn what_is_behind_a_short_instruction_stays_as_it_is() {
    // The second instruction begins inside the jump, whose last two bytes are its.
    let watched = Watched::new(0, &[register(7, 0, 77)]);
    let mut bytes = [0; FUNCTION.len()];
    read(watched.start, &mut bytes);
    assert_ne!(bytes[..3], FUNCTION[..3]);
    assert_eq!(bytes[3..], FUNCTION[3..]);
    assert_eq!(watched.call(2, 1), (expected(2, 1), false));
    assert_eq!(watched.call(77, 1), (expected(77, 1), true));
}

#[test]
fn instructions_that_are_overwritten_trap_and_have_a_copy() {
    let watched = Watched::by(0, &[register(7, 0, 77)], |jump| jump[3] == UNDEFINED);
    let second = watched.start + 3;
    let mut byte = [0];
    read(second, &mut byte);
    assert_eq!(byte, [UNDEFINED]);
    assert!(watched.trampoline.moved(second).is_some_and(|copy| copy != second));
    assert_eq!(watched.trampoline.moved(watched.start + 7), None);
}

#[test]
fn too_many_words_for_the_room_are_refused_and_not_cut() {
    let start = map(0, 4096).expect("a page");
    write(start, &FUNCTION);
    let room = Room::at(&read, start).expect("room");
    let conditions = [register(0, 1, 0); 5];
    assert!(compose(&room, start + (1 << 20), &conditions, false).is_err());
}
