//! The opcode maps of x86-64: which opcodes take a ModRM byte, which an immediate, which change the flow.

use super::decode::Flow;

/// The table that an opcode byte is looked up in, chosen by the escape bytes or prefix before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Map {
    /// No escape.
    OneByte,
    /// After `0F`.
    Legacy0f,
    /// After `0F 38`.
    Legacy0f38,
    /// After `0F 3A`.
    Legacy0f3a,
    /// VEX or EVEX map 1.
    Vector0f,
    /// VEX or EVEX map 2, EVEX maps 5 and 6, XOP map 9: a ModRM byte, no immediate.
    VectorPlain,
    /// VEX or EVEX map 3, XOP map 8: a ModRM byte and an 8-bit immediate.
    VectorByte,
    /// XOP map 10: a ModRM byte and a 32-bit immediate.
    VectorLong,
}

/// What follows an instruction's opcode and operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Immediate {
    /// Nothing.
    None,
    /// So many bytes.
    Bytes(u8),
    /// 16 bits with an operand-size prefix, else 32.
    Operand,
    /// As `Operand`, but 64 bits with REX.W.
    Full,
    /// An absolute address, as wide as addresses are.
    Address,
    /// 8 bits if the ModRM byte's opcode extension is 0 or 1 (`test`), else nothing.
    TestByte,
    /// As `Operand` if the ModRM byte's opcode extension is 0 or 1 (`test`), else nothing.
    TestOperand,
    /// The displacement of a branch, so many bytes wide.
    Branch(u8),
}

/// What an opcode is followed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) modrm: bool,
    pub(super) immediate: Immediate,
}

const fn plain(immediate: Immediate) -> Option<Form> {
    Some(Form { modrm: false, immediate })
}

const fn modrm(immediate: Immediate) -> Option<Form> {
    Some(Form { modrm: true, immediate })
}

/// The map that VEX's `mmmmm` field selects.
pub(super) fn vector_map(selector: u8) -> Option<Map> {
    match selector {
        1 => Some(Map::Vector0f),
        2 => Some(Map::VectorPlain),
        3 => Some(Map::VectorByte),
        _ => None,
    }
}

/// The map that the low half of EVEX's first byte selects (its top bit is reserved; 4 is APX).
pub(super) fn evex_map(selector: u8) -> Option<Map> {
    match selector {
        5 | 6 => Some(Map::VectorPlain),
        _ => vector_map(selector),
    }
}

/// The map that XOP's `mmmmm` field selects.
pub(super) fn xop_map(selector: u8) -> Option<Map> {
    match selector {
        8 => Some(Map::VectorByte),
        9 => Some(Map::VectorPlain),
        10 => Some(Map::VectorLong),
        _ => None,
    }
}

/// What follows `opcode` in `map`; `None` if there is no such instruction.
pub(super) fn form(map: Map, opcode: u8) -> Option<Form> {
    match map {
        Map::OneByte => one_byte(opcode),
        Map::Legacy0f => legacy_0f(opcode),
        Map::Legacy0f38 | Map::VectorPlain => modrm(Immediate::None),
        Map::Legacy0f3a | Map::VectorByte => modrm(Immediate::Bytes(1)),
        Map::VectorLong => modrm(Immediate::Bytes(4)),
        Map::Vector0f => match opcode {
            0x77 => plain(Immediate::None),
            0x70..=0x73 | 0xc2 | 0xc4..=0xc6 => modrm(Immediate::Bytes(1)),
            _ => modrm(Immediate::None),
        },
    }
}

fn one_byte(opcode: u8) -> Option<Form> {
    match opcode {
        // The eight arithmetic operations come in the same eight columns; two of them left 64-bit mode.
        0x00..=0x3f => match opcode & 7 {
            0..=3 => modrm(Immediate::None),
            4 => plain(Immediate::Bytes(1)),
            5 => plain(Immediate::Operand),
            _ => None,
        },
        0x63 | 0x84..=0x8f | 0xd0..=0xd3 | 0xd8..=0xdf | 0xfe | 0xff => modrm(Immediate::None),
        0x69 | 0x81 | 0xc7 => modrm(Immediate::Operand),
        0x6b | 0x80 | 0x83 | 0xc0 | 0xc1 | 0xc6 => modrm(Immediate::Bytes(1)),
        0xf6 => modrm(Immediate::TestByte),
        0xf7 => modrm(Immediate::TestOperand),
        0x68 | 0xa9 => plain(Immediate::Operand),
        0x6a | 0xa8 | 0xb0..=0xb7 | 0xcd | 0xe4..=0xe7 => plain(Immediate::Bytes(1)),
        0xb8..=0xbf => plain(Immediate::Full),
        0xa0..=0xa3 => plain(Immediate::Address),
        0xc2 | 0xca => plain(Immediate::Bytes(2)),
        0xc8 => plain(Immediate::Bytes(3)),
        0x70..=0x7f | 0xe0..=0xe3 | 0xeb => plain(Immediate::Branch(1)),
        0xe8 | 0xe9 => plain(Immediate::Branch(4)),
        0x50..=0x5f | 0x6c..=0x6f | 0x90..=0x99 | 0x9b..=0x9f | 0xa4..=0xa7 | 0xaa..=0xaf => {
            plain(Immediate::None)
        }
        0xc3 | 0xc9 | 0xcb | 0xcf | 0xd7 | 0xec..=0xef | 0xf1 | 0xf4 | 0xf5 | 0xf8..=0xfd => {
            plain(Immediate::None)
        }
        // CC, `int3`, is a debugger's: what instruction it hides is not known.
        _ => None,
    }
}

fn legacy_0f(opcode: u8) -> Option<Form> {
    match opcode {
        0x05..=0x09 | 0x0b | 0x0e | 0x30..=0x35 | 0x37 | 0x77 => plain(Immediate::None),
        0xa0..=0xa2 | 0xa8..=0xaa | 0xc8..=0xcf => plain(Immediate::None),
        0x80..=0x8f => plain(Immediate::Branch(4)),
        // 0F 0F is 3DNow!, whose opcode is the immediate.
        0x0f | 0x70..=0x73 | 0xa4 | 0xac | 0xba | 0xc2 | 0xc4..=0xc6 => modrm(Immediate::Bytes(1)),
        // 0F 78 is `vmread`, or with prefixes SSE4a's `extrq` with two immediates: nobody's compiler's.
        0x04 | 0x0a | 0x0c | 0x24..=0x27 | 0x36 | 0x38..=0x3f | 0x78 | 0xa6 | 0xa7 => None,
        _ => modrm(Immediate::None),
    }
}

/// Moves to and from control and debug registers ignore the ModRM byte's mode: it is always a register.
pub(super) fn register_form_only(map: Map, opcode: u8) -> bool {
    map == Map::Legacy0f && matches!(opcode, 0x20..=0x23)
}

/// The flow of a branch whose opcode has the form `Immediate::Branch`.
pub(super) fn branch((map, opcode): (Map, u8), displacement: i32) -> Option<Flow> {
    let condition = opcode & 0x0f;
    match (map, opcode) {
        (Map::OneByte, 0x70..=0x7f) | (Map::Legacy0f, 0x80..=0x8f) => {
            Some(Flow::Conditional { condition, displacement })
        }
        (Map::OneByte, 0xe0..=0xe3) => Some(Flow::ConditionalFixed { displacement }),
        (Map::OneByte, 0xe8) => Some(Flow::Call { displacement }),
        (Map::OneByte, 0xe9 | 0xeb) => Some(Flow::Jump { displacement }),
        _ => None,
    }
}

/// The flow of everything else.
pub(super) fn flow((map, opcode): (Map, u8), modrm: u8) -> Option<Flow> {
    let extension = modrm >> 3 & 7;
    Some(match (map, opcode) {
        // `xabort`, which shares its opcode with `mov`.
        (Map::OneByte, 0xc6) if modrm == 0xf8 => Flow::Next,
        (Map::OneByte, 0x8f | 0xc6 | 0xc7) if extension != 0 => return None,
        (Map::OneByte, 0xfe) if extension > 1 => return None,
        (Map::OneByte, 0xff) => match extension {
            2 | 3 => Flow::CallIndirect,
            4 | 5 => Flow::JumpIndirect,
            7 => return None,
            _ => Flow::Next,
        },
        (Map::OneByte, 0xc2 | 0xc3 | 0xca | 0xcb | 0xcf) => Flow::Return,
        (Map::OneByte, 0xcd | 0xf1 | 0xf4) => Flow::Trap,
        (Map::Legacy0f, 0x05) => Flow::Syscall,
        (Map::Legacy0f, 0x07 | 0x0b | 0x34 | 0x35 | 0xb9 | 0xff) => Flow::Trap,
        _ => Flow::Next,
    })
}
