//! Small functions, and why their last `syscall` can or cannot be rewritten.

use kmod_shim::patch::eh_frame::{Function, Segment};
use kmod_shim::patch::plan::plan;
use kmod_shim::patch::{Others, Refusal};

const START: u64 = 0x7fff_f7d0_0000;
const STUB: u64 = 0x7fff_f800_0000;

type Row = (&'static str, &'static [u8], Result<u64, Refusal>);

const ROWS: [Row; 11] = [
    // mov eax, 39; syscall; ret
    ("the usual", &[0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0xc3], Ok(0)),
    // mov eax, 39; xor edi, edi; syscall
    ("another instruction between", &[0xb8, 39, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05], Ok(0)),
    // mov edi, 1; mov eax, 39; syscall
    ("the nearest of two", &[0xbf, 1, 0, 0, 0, 0xb8, 39, 0, 0, 0, 0x0f, 0x05], Ok(5)),
    // jmp to the last byte of mov; mov eax, 0x90000027; syscall
    ("hidden instruction", &[0xeb, 4, 0xb8, 39, 0, 0, 0x90, 0x0f, 0x05], Err(Refusal::NoRoom)),
    // mov eax, 39; jmp over; ud2; syscall
    ("a jump between", &[0xb8, 39, 0, 0, 0, 0xeb, 2, 0x0f, 0x0b, 0x0f, 0x05], Err(Refusal::NoRoom)),
    // mov eax, 39; syscall; xor eax, eax; syscall
    ("a system call between", &[0xb8, 39, 0, 0, 0, 0x0f, 0x05, 0x31, 0xc0, 0x0f, 0x05], Err(Refusal::NoRoom)),
    // mov eax, 39; jrcxz over; syscall
    ("a branch without a long form", &[0xb8, 39, 0, 0, 0, 0xe3, 2, 0x0f, 0x05], Err(Refusal::NoRoom)),
    // mov eax, 15; syscall
    ("signal return", &[0xb8, 15, 0, 0, 0, 0x0f, 0x05], Err(Refusal::SignalReturn)),
    // mov rax, 15; syscall
    ("signal return, 64 bits", &[0x48, 0xc7, 0xc0, 15, 0, 0, 0, 0x0f, 0x05], Err(Refusal::SignalReturn)),
    // int3 over the first byte of mov eax, 39; syscall
    ("breakpoint", &[0xcc, 39, 0, 0, 0, 0x0f, 0x05], Err(Refusal::UnknownInstruction(START))),
    // mov eax, 0x050f0000: its last bytes look like a syscall
    ("inside an instruction", &[0xb8, 0, 0, 0x0f, 0x05], Err(Refusal::NotAnInstruction)),
];

#[test]
fn each_function_is_rewritten_or_refused_for_its_reason() {
    for (name, code, expected) in ROWS {
        let segment = Segment { address: START, bytes: code };
        let function = Function { range: START..START + code.len() as u64, signal_frame: false };
        let site = code.windows(2).rposition(|bytes| bytes == [0x0f, 0x05]).expect("a syscall") as u64;
        let found = plan(&segment, START + site, &function, STUB, 0, Others::Stopped);
        assert_eq!(found.map(|plan| plan.patch_address - START), expected, "{name}");
    }
}

#[test]
fn a_function_too_long_or_outside_the_code_is_refused() {
    let code = vec![0x90; 1 << 20];
    let segment = Segment { address: START, bytes: &code };
    let rows = [
        (START..START + (1 << 20), Refusal::FunctionTooLong),
        (START - 1..START + 100, Refusal::UnknownFunction),
        (START + (1 << 20) - 10..START + (1 << 20) + 1, Refusal::UnknownFunction),
    ];
    for (range, expected) in rows {
        let function = Function { range, signal_frame: false };
        let found = plan(&segment, START + 1, &function, STUB, 0, Others::Stopped);
        assert_eq!(found.map(|plan| plan.site), Err(expected));
    }
}
