//! Counting the places in a file's code where threads may order themselves without libc.
//!
//! These are atomic operations whose outcome the program looks at, exchanges with memory (which are atomic by themselves,
//! and how compilers store what is to be seen by all), and `pause`, by which who spins says so. Adding to a counter whose value is
//! not looked at there is none, nor is what is done to the top of the stack: a fence.
//!
//! Their bytes are looked for first: only functions that have such bytes are decoded.

use crate::code::Code;
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic, OpKind, Register, RflagsBits};
use kmod_shim::patch::eh_frame::Segment;
use memchr::memchr3;

/// The prefix of atomic operations, the opcodes of exchanges, and `pause`, which is a repeated `nop`.
const LOCK: u8 = 0xf0;
const EXCHANGES: [u8; 2] = [0x86, 0x87];
const PAUSE: [u8; 2] = [0xf3, 0x90];

/// How many such places there are; 0 in what is no program or library, or was built by `imitate cc`.
pub fn count(file: &[u8]) -> usize {
    match Code::read(file).filter(|code| !code.is_rebuilt) {
        Some(code) => code.segments.iter().map(|segment| count_in(&code, segment)).sum(),
        None => 0,
    }
}

fn count_in(code: &Code, segment: &Segment) -> usize {
    let (mut from, mut count) = (0, 0);
    while let Some(at) = next(segment.bytes, from) {
        let address = segment.address + at as u64;
        let function = code.function(segment, address);
        // Between functions there is data, or code that nobody can find the beginning of.
        let Some(bytes) = function.as_ref().and_then(|function| segment.get(function.clone())) else {
            from = at + 1;
            continue;
        };
        let end = function.map_or(address, |function| function.end);
        count += count_in_function(bytes);
        from = ((end - segment.address) as usize).max(at + 1);
    }
    count
}

/// The first place from `from` on where such an instruction may begin, or be the one after a prefix.
fn next(bytes: &[u8], mut from: usize) -> Option<usize> {
    loop {
        let rest = bytes.get(from..)?;
        let atomic = memchr3(LOCK, EXCHANGES[0], EXCHANGES[1], rest);
        let pause = memchr::memmem::find(&rest[..atomic.unwrap_or(rest.len())], &PAUSE);
        let at = from + pause.or(atomic)?;
        if bytes[at] == PAUSE[0] || may_be_atomic(&bytes[at..]) {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Whether what follows can be an operation on memory: most such bytes are parts of addresses and numbers.
fn may_be_atomic(bytes: &[u8]) -> bool {
    let byte = |at: usize| bytes.get(at).copied().unwrap_or(0);
    let is_memory = |operands: u8| operands >> 6 != 3;
    if EXCHANGES.contains(&byte(0)) {
        return is_memory(byte(1));
    }
    // A prefix for 16 bits, and one for 64 bits or more registers.
    let mut at = 1 + usize::from(byte(1) == 0x66);
    at += usize::from(byte(at) & 0xf0 == 0x40);
    match byte(at) {
        0x0f => {
            matches!(byte(at + 1), 0xab | 0xb0 | 0xb1 | 0xb3 | 0xba | 0xbb | 0xc0 | 0xc1 | 0xc7)
                && is_memory(byte(at + 2))
        }
        0x80 | 0x81 | 0x83 | 0xf6 | 0xf7 | 0xfe | 0xff => is_memory(byte(at + 1)),
        low @ 0..0x38 => low & 6 == 0 && is_memory(byte(at + 1)),
        _ => false,
    }
}

fn count_in_function(bytes: &[u8]) -> usize {
    let mut decoder = Decoder::new(64, bytes, DecoderOptions::NONE);
    let (mut instruction, mut count) = (Instruction::default(), 0);
    // What an atomic operation leaves behind without a result, whose flags the next instruction may look at.
    let mut leaves_flags = false;
    while decoder.can_decode() {
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() {
            break;
        }
        if std::mem::take(&mut leaves_flags) && instruction.rflags_read() != RflagsBits::NONE {
            count += 1;
        }
        match kind(&instruction) {
            Kind::Counts => count += 1,
            Kind::LeavesFlags => leaves_flags = true,
            Kind::Other => {}
        }
    }
    count
}

enum Kind {
    Counts,
    LeavesFlags,
    Other,
}

fn kind(instruction: &Instruction) -> Kind {
    let on_memory = (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory);
    match instruction.mnemonic() {
        Mnemonic::Pause => Kind::Counts,
        _ if !on_memory || instruction.memory_base() == Register::RSP => Kind::Other,
        Mnemonic::Xchg => Kind::Counts,
        _ if !instruction.has_lock_prefix() => Kind::Other,
        Mnemonic::Xadd
        | Mnemonic::Cmpxchg
        | Mnemonic::Cmpxchg8b
        | Mnemonic::Cmpxchg16b
        | Mnemonic::Bts
        | Mnemonic::Btr
        | Mnemonic::Btc => Kind::Counts,
        _ => Kind::LeavesFlags,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_whose_outcome_is_looked_at_count() {
        // lock xadd [rdi], eax; ret
        assert_eq!(count_in_function(&[0xf0, 0x0f, 0xc1, 0x07, 0xc3]), 1);
        // xchg [rdi], al; xchg [rsi], rax; xchg eax, ecx; ret
        assert_eq!(count_in_function(&[0x86, 0x07, 0x48, 0x87, 0x06, 0x91, 0xc3]), 2);
        // lock dec dword [rdi]; jne; ret
        assert_eq!(count_in_function(&[0xf0, 0xff, 0x0f, 0x75, 0, 0xc3]), 1);
        // pause; ret
        assert_eq!(count_in_function(&[0xf3, 0x90, 0xc3]), 1);
    }

    #[test]
    fn others_do_not() {
        // lock inc dword [rdi]; ret
        assert_eq!(count_in_function(&[0xf0, 0xff, 0x07, 0xc3]), 0);
        // lock or dword [rsp], 0; je
        assert_eq!(count_in_function(&[0xf0, 0x83, 0x0c, 0x24, 0, 0x74, 0]), 0);
        // mov [rbp - 16], eax, whose last byte is the prefix; add dword [rbp - 4], 1; jne
        let bytes = [0x89, 0x45, 0xf0, 0x83, 0x45, 0xfc, 1, 0x75, 0];
        assert_eq!((next(&bytes, 0), count_in_function(&bytes)), (Some(2), 0));
    }

    #[test]
    fn bytes_are_found_wherever_they_are() {
        let mut bytes = vec![0x90; 64];
        assert_eq!(next(&bytes, 0), None);
        bytes[40..44].copy_from_slice(&[0xf0, 0x0f, 0xb1, 0x0f]);
        assert_eq!((next(&bytes, 0), next(&bytes, 41)), (Some(40), None));
        bytes[10..12].copy_from_slice(&PAUSE);
        assert_eq!(next(&bytes, 0), Some(10));
        // A register with a register.
        bytes[20..22].copy_from_slice(&[0x87, 0xc1]);
        assert_eq!(next(&bytes, 11), Some(40));
    }

    #[test]
    fn this_program_has_some() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        assert!(count(&own) > 10);
        assert_eq!(count(b"no program"), 0);
    }
}
