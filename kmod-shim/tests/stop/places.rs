//! Which instructions are chosen in small pieces of code.

use kmod_shim::stop::place::{Room, Surroundings};

const START: u64 = 0x5555_5555_5000;

/// Reads `code`, which begins at `START`.
fn reader(code: &[u8]) -> impl Fn(u64, &mut [u8]) -> usize + '_ {
    move |address, target| {
        let rest =
            address.checked_sub(START).and_then(|offset| code.get(offset as usize..)).unwrap_or_default();
        let count = rest.len().min(target.len());
        target[..count].copy_from_slice(&rest[..count]);
        count
    }
}

/// (name, code, how many bytes make room for a jump or a breakpoint at its start, whether for a jump)
type RoomRow = (&'static str, &'static [u8], Option<(usize, bool)>);

const ROOMS: [RoomRow; 12] = [
    ("a long instruction", &[0xb8, 1, 0, 0, 0], Some((5, true))),
    ("several short ones", &[0x48, 0x89, 0xf8, 0x48, 0xff, 0xc0, 0xc3], Some((6, true))),
    ("a branch among them", &[0x85, 0xc0, 0x74, 2, 0x89, 0xd8, 0xc3], Some((6, true))),
    ("a return at the end", &[0x48, 0x89, 0xd0, 0x5d, 0xc3], Some((5, true))),
    ("too little before the return", &[0x48, 0x89, 0xd0, 0xc3, 0x90, 0x90], Some((3, false))),
    ("a return", &[0xc3, 0x90, 0x90, 0x90, 0x90], Some((1, false))),
    ("a call at the end", &[0x89, 0xc7, 0xe8, 0, 0, 0, 0], Some((7, true))),
    ("a call of what a register says is not moved", &[0x89, 0xc7, 0xff, 0xd0, 0x90], Some((2, false))),
    ("a string instruction is interrupted half-way", &[0xf3, 0xaa, 0x90, 0x90, 0x90], None),
    ("a system call", &[0x0f, 0x05, 0x90, 0x90, 0x90], None),
    ("rdtsc traps", &[0x0f, 0x31, 0x90, 0x90, 0x90], None),
    ("pushf shows the trap flag", &[0x9c, 0x90, 0x90, 0x90, 0x90], None),
];

#[test]
fn room_is_made_of_instructions_that_can_run_elsewhere() {
    for (name, code, expected) in ROOMS {
        let found = Room::at(&reader(code), START).map(|room| (room.length, room.has_jump()));
        assert_eq!(found, expected, "{name}");
    }
}

// 0: inc rax; 3: cmp rax, rdi; 6: jne 0; 8: mov eax, 1; 13: ret
const LOOP: [u8; 14] = [0x48, 0xff, 0xc0, 0x48, 0x39, 0xf8, 0x75, 0xf8, 0xb8, 1, 0, 0, 0, 0xc3];

#[test]
fn a_loop_is_known_from_everywhere_in_it() {
    for offset in [0, 3, 6] {
        let read = reader(&LOOP);
        let here = Surroundings::read(&read, START + offset);
        assert_eq!(here.loop_exit(), Some(START + 8), "from {offset}");
        assert!(here.inside(&read).is_some_and(|address| address < START + 8), "from {offset}");
    }
    assert_eq!(Surroundings::read(&reader(&LOOP), START + 8).loop_exit(), None);
}

// 0: mov rdi, rbp; 3: call; 8: nop; 9: inc rax; 12: cmp rax, rbx; 15: jne 9; 17: jmp 0
const LOOP_IN_A_LOOP: [u8; 19] =
    [0x48, 0x89, 0xef, 0xe8, 0, 1, 0, 0, 0x90, 0x48, 0xff, 0xc0, 0x48, 0x39, 0xd8, 0x75, 0xf8, 0xeb, 0xed];

#[test]
fn behind_a_loop_is_where_a_jump_there_goes() {
    let read = reader(&LOOP_IN_A_LOOP);
    let here = Surroundings::read(&read, START + 9);
    assert_eq!((here.loop_exit(), here.behind_loop(&read)), (Some(START + 17), Some(START)));
    // The call is among what makes room there.
    assert_eq!(Surroundings::read(&read, START).next(&read), Some(START + 3));
    let simple = reader(&LOOP);
    let here = Surroundings::read(&simple, START);
    assert_eq!(here.behind_loop(&simple), here.loop_exit());
    assert_eq!(Surroundings::read(&simple, START + 8).behind_loop(&simple), None);
}

#[test]
fn the_middle_of_an_instruction_is_not_in_the_loop() {
    // From 1 the bytes are `inc eax`, but no instruction of the loop begins there.
    assert_eq!(Surroundings::read(&reader(&LOOP), START + 1).loop_exit(), None);
}

#[test]
fn what_lies_behind_a_jump_is_code_only_if_a_branch_goes_there() {
    // nop; jmp out; then mov eax, 1, which may be data; ret
    let unknown = [0x90, 0xeb, 6, 0xb8, 1, 0, 0, 0, 0xc3];
    let read = reader(&unknown);
    assert_eq!(Surroundings::read(&read, START).around(&read), None);
    // jz to the mov; jmp out; mov eax, 1; ret
    let known = [0x74, 2, 0xeb, 6, 0xb8, 1, 0, 0, 0, 0xc3];
    let read = reader(&known);
    assert_eq!(Surroundings::read(&read, START).around(&read), Some(START + 4));
}

#[test]
fn without_room_the_return_is_chosen() {
    // mov rax, rdx; ret
    let code = [0x48, 0x89, 0xd0, 0xc3];
    let read = reader(&code);
    let here = Surroundings::read(&read, START);
    assert_eq!(here.next(&read), None);
    assert_eq!(here.first(&read), Some(START + 3));
    assert!(Room::at(&read, START + 3).is_some_and(|room| room.returns()));
}

#[test]
fn operands_relative_to_instructions_are_found() {
    // mov eax, [rip + 0x100]; ret
    let code = [0x8b, 0x05, 0, 1, 0, 0, 0xc3];
    let read = reader(&code);
    let here = Surroundings::read(&read, START);
    assert_eq!(here.relative_operands(&read).collect::<Vec<_>>(), [START + 6 + 0x100]);
}

/// What the processor thinks of a condition, by its `set` instruction, with these flags.
macro_rules! processor {
    ($flags:ident, $($set:literal)*) => {
        [$({
            let result: u8;
            // SAFETY: flags without trap, direction or interrupt bits; the stack is as it was.
            unsafe {
                core::arch::asm!("push {0}", "popfq", concat!($set, " {1}"), in(reg) $flags, out(reg_byte) result);
            }
            result != 0
        }),*]
    };
}

#[test]
fn a_branch_back_goes_where_the_processor_would() {
    let combinations = (0..32u64).map(|bits| {
        let places = [0, 2, 6, 7, 11];
        places.iter().enumerate().fold(0x202, |flags, (bit, place)| flags | (bits >> bit & 1) << place)
    });
    for flags in combinations {
        let taken = processor!(flags, "seto" "setno" "setb" "setae" "sete" "setne" "setbe" "seta" "sets" "setns"
            "setp" "setnp" "setl" "setge" "setle" "setg");
        for (condition, taken) in taken.into_iter().enumerate() {
            // inc rax; jcc to it.
            let code = [0x48, 0xff, 0xc0, 0x70 | condition as u8, 0xfb, 0xc3];
            let read = reader(&code);
            let branch = Surroundings::read(&read, START).back_branch(&read).unwrap();
            assert_eq!((branch.address, branch.target, branch.bytes), (START + 3, START, [code[3], code[4]]));
            let expected = if taken { START } else { START + 5 };
            assert_eq!(branch.goes_to(flags), expected, "condition {condition}, flags {flags:#x}");
        }
    }
}

#[test]
fn a_branch_that_looks_at_no_flags_is_always_taken() {
    // inc rax; jmp to it.
    let code = [0x48, 0xff, 0xc0, 0xeb, 0xfb];
    let read = reader(&code);
    let branch = Surroundings::read(&read, START).back_branch(&read).unwrap();
    assert_eq!([0, 0xfff].map(|flags| branch.goes_to(flags)), [START, START]);
    // loop looks at rcx.
    let code = [0x48, 0xff, 0xc0, 0xe2, 0xfb];
    let read = reader(&code);
    assert!(Surroundings::read(&read, START).back_branch(&read).is_none());
}
