//! What an instruction does to memory.

use iced_x86::{
    ConditionCode, Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind,
};
use std::collections::HashMap;
use tracer_core::session::watch::Access;

/// An instruction that accesses memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deed {
    /// Bytes of one access.
    pub size: u64,
    /// It reads what is there; else it only writes.
    pub reads: bool,
    /// The program can see what was there: it gets the value, or a jump or the like behind it takes what is said of the result. An
    /// addition that nobody looks at is not of them.
    pub shows: bool,
}

/// Instructions that were looked at.
#[derive(Default)]
pub struct Instructions {
    known: HashMap<[u8; 16], Deed>,
}

impl Instructions {
    /// What the instruction of an access does.
    pub fn look(&mut self, access: &Access) -> Deed {
        *self.known.entry(access.code).or_insert_with(|| decode(&access.code, access.writes))
    }
}

fn decode(code: &[u8; 16], writes: bool) -> Deed {
    let mut decoder = Decoder::new(64, code, DecoderOptions::NONE);
    let instruction = decoder.decode();
    let mut factory = InstructionInfoFactory::new();
    let wanted = |access: OpAccess| match access {
        OpAccess::Write | OpAccess::CondWrite => writes,
        OpAccess::ReadWrite | OpAccess::ReadCondWrite => true,
        OpAccess::Read | OpAccess::CondRead => !writes,
        _ => false,
    };
    let info = factory.info(&instruction);
    // Of an instruction with two operands in memory, as `movs`, the one that fits the fault.
    let used = info.used_memory().iter().find(|used| wanted(used.access()));
    let size = used.map_or(0, |used| used.memory_size().size() as u64).max(1);
    let reads = !writes || used.is_some_and(|used| reads(used.access()));
    Deed { size, reads, shows: reads && (is_given(&instruction) || is_looked_at(&mut decoder)) }
}

/// Whether an instruction that reads gives the program what it has read, and not only flags.
fn is_given(instruction: &Instruction) -> bool {
    use Mnemonic::{Adc, Add, And, Dec, Inc, Neg, Not, Or, Sbb, Sub, Xor};
    let changes =
        matches!(instruction.mnemonic(), Adc | Add | And | Dec | Inc | Neg | Not | Or | Sbb | Sub | Xor);
    !changes || instruction.op0_kind() != OpKind::Memory
}

/// Whether the next instruction takes the flags, as far as it was told.
fn is_looked_at(decoder: &mut Decoder) -> bool {
    let next = decoder.decode();
    !next.is_invalid() && next.condition_code() != ConditionCode::None
}

fn reads(access: OpAccess) -> bool {
    matches!(access, OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The deed, and whether it is atomic.
    fn deed(bytes: &[u8], writes: bool) -> (Deed, bool) {
        let mut code = [0; 16];
        code[..bytes.len()].copy_from_slice(bytes);
        let access = Access { address: 0, instruction: 0, code, stack: 0, top: 0, writes };
        (Instructions::default().look(&access), access.is_atomic())
    }

    #[test]
    fn sizes_and_atomicity() {
        let plain = |size, reads| (Deed { size, reads, shows: reads }, false);
        let unseen = |size| Deed { size, reads: true, shows: false };
        // mov eax, [rdi]; mov [rdi], rax; add dword ptr [rdi], 1
        assert_eq!(deed(&[0x8b, 0x07], false), plain(4, true));
        assert_eq!(deed(&[0x48, 0x89, 0x07], true), plain(8, false));
        assert_eq!(deed(&[0x83, 0x07, 0x01], true), (unseen(4), false));
        // rep movsb: writes, reads; vmovdqu [rdi], ymm0
        assert_eq!(deed(&[0xf3, 0xa4], true), plain(1, false));
        assert_eq!(deed(&[0xf3, 0xa4], false), plain(1, true));
        assert_eq!(deed(&[0xc5, 0xfe, 0x7f, 0x07], true), plain(32, false));
        // lock add dword ptr [rdi], 1, without and with fs; xchg [rdi], eax; xchg fs:[rdi], rax
        let atomic = |size| (Deed { size, reads: true, shows: true }, true);
        assert_eq!(deed(&[0xf0, 0x83, 0x07, 0x01], true), (unseen(4), true));
        assert_eq!(deed(&[0x64, 0xf0, 0x83, 0x07, 0x01], true), (unseen(4), true));
        assert_eq!(deed(&[0x87, 0x07], true), atomic(4));
        assert_eq!(deed(&[0x64, 0x48, 0x87, 0x07], true), atomic(8));
        // lock dec dword ptr [rdi]; je; lock xadd [rdi], eax; lock cmpxchg [rdi], ecx; cmp dword ptr [rdi], 0
        assert_eq!(deed(&[0xf0, 0xff, 0x0f, 0x74, 0x05], true), atomic(4));
        assert_eq!(deed(&[0xf0, 0x0f, 0xc1, 0x07], true), atomic(4));
        assert_eq!(deed(&[0xf0, 0x0f, 0xb1, 0x0f], true), atomic(4));
        assert_eq!(deed(&[0x83, 0x3f, 0x00], false), plain(4, true));
        // push rax; what is no instruction
        assert_eq!(deed(&[0x50], true), plain(8, false));
        assert_eq!(deed(&[0x06], false), plain(1, true));
    }
}
