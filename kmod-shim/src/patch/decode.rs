//! Where x86-64 instructions end, and where they can go: as much of a disassembler as moving code needs.
//!
//! Why not iced-x86, which the rest of the project uses: its decoder builds its tables on the heap at first
//! use, 7,700 allocations of 360 KiB in 0.43 ms (measured). Every recorded process would pay that at its first
//! system call, which is more than all the rewriting that a `date` needs. The tests hold this decoder against
//! iced-x86 instruction by instruction, over every function of the large libraries of the system and over
//! random bytes.
//!
//! Encodings that no compiler emits, or that processors disagree on (a 16-bit near branch, a REX that does not
//! count, APX), and breakpoints, under which the instruction cannot be seen, are reported as unknown. That makes
//! the caller leave the code alone.

use super::opcode::{self, Form, Immediate};

/// The longest instruction that a processor accepts, in bytes.
pub const LONGEST_INSTRUCTION: usize = 15;

/// Where execution can continue after an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Only with the next instruction.
    Next,
    /// With the next instruction or `displacement` bytes after its start; `condition` is the low half of the
    /// `Jcc` opcode.
    Conditional {
        /// The condition as the processor numbers them (4 is "equal").
        condition: u8,
        /// Distance of the target from the next instruction, in bytes.
        displacement: i32,
    },
    /// As `Conditional`, for `loop` and `jrcxz`, which exist with 8-bit displacements only, and for `xbegin`.
    ConditionalFixed {
        /// Distance of the target from the next instruction, in bytes.
        displacement: i32,
    },
    /// Only `displacement` bytes after the start of the next instruction.
    Jump {
        /// Distance of the target from the next instruction, in bytes.
        displacement: i32,
    },
    /// At an address taken from a register or from memory.
    JumpIndirect,
    /// In a function `displacement` bytes after the next instruction, to which that function returns.
    Call {
        /// Distance of the target from the next instruction, in bytes.
        displacement: i32,
    },
    /// In a function whose address is in a register or in memory.
    CallIndirect,
    /// At an address on the stack (`ret`, `iret` and their far forms).
    Return,
    /// In the kernel, by `syscall`.
    Syscall,
    /// In the kernel by any other way (`int`, `ud2`, `hlt`, `sysenter`): not code to be moved.
    Trap,
}

/// One decoded instruction, whatever its operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// In bytes, 1 to 15.
    pub length: usize,
    /// Where it can go.
    pub flow: Flow,
    /// Offset in the instruction of the 32-bit displacement of a memory operand that is addressed relative to
    /// the next instruction.
    pub relative_operand: Option<usize>,
}

/// The prefixes that change an instruction's length or meaning.
#[derive(Clone, Copy, Default)]
struct Prefixes {
    operand_size: bool,
    address_size: bool,
    mandatory: bool,
    lock: bool,
    rex: u8,
}

impl Prefixes {
    /// REX.W: 64-bit operands.
    fn wide(self) -> bool {
        self.rex & 8 != 0
    }

    /// VEX, EVEX and XOP carry all of these themselves: none of them may come before.
    fn any(self) -> bool {
        self.operand_size || self.mandatory || self.lock || self.rex != 0
    }
}

/// A reader that knows how far into the instruction it is.
struct Cursor<'a> {
    bytes: &'a [u8],
    offset: usize,
}

impl Cursor<'_> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.offset).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.offset += 1;
        Some(byte)
    }

    fn skip(&mut self, count: usize) {
        self.offset += count;
    }

    /// The signed little-endian number of `size` (1 or 4) bytes here; passes it.
    fn signed(&mut self, size: usize) -> Option<i32> {
        let bytes = self.bytes.get(self.offset..self.offset.checked_add(size)?)?;
        self.offset += size;
        match *bytes {
            [low] => Some(i32::from(low as i8)),
            [a, b, c, d] => Some(i32::from_le_bytes([a, b, c, d])),
            _ => None,
        }
    }
}

/// Decodes the instruction at the start of `code`. `None`: not an instruction that this decoder vouches for,
/// or it does not end within `code`.
pub fn decode(code: &[u8]) -> Option<Instruction> {
    let code = code.get(..code.len().min(LONGEST_INSTRUCTION))?;
    let mut cursor = Cursor { bytes: code, offset: 0 };
    let prefixes = read_prefixes(&mut cursor)?;
    let (map, operation) = read_opcode(&mut cursor, prefixes)?;
    let form = opcode::form(map, operation)?;
    let mut relative_operand = None;
    let mut modrm = 0;
    if form.modrm {
        modrm = cursor.peek()?;
        relative_operand = pass_modrm(&mut cursor, opcode::register_form_only(map, operation))?;
        // An operand relative to the truncated instruction pointer could not be moved.
        if relative_operand.is_some() && prefixes.address_size {
            return None;
        }
    }
    let flow = read_immediate(&mut cursor, form, modrm, prefixes, (map, operation))?;
    (cursor.offset <= code.len()).then_some(Instruction { length: cursor.offset, flow, relative_operand })
}

fn read_prefixes(cursor: &mut Cursor) -> Option<Prefixes> {
    let mut prefixes = Prefixes::default();
    loop {
        match cursor.peek()? {
            0x66 => prefixes.operand_size = true,
            0x67 => prefixes.address_size = true,
            0xf2 | 0xf3 => prefixes.mandatory = true,
            0xf0 => prefixes.lock = true,
            0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 => {}
            rex @ 0x40..=0x4f => {
                // Only the REX directly before the opcode counts.
                prefixes.rex = rex;
                cursor.skip(1);
                match cursor.peek()? {
                    0x66 | 0x67 | 0xf2 | 0xf3 | 0xf0 | 0x2e | 0x36 | 0x3e | 0x26 | 0x64 | 0x65 => {
                        return None;
                    }
                    0x40..=0x4f => return None,
                    _ => return Some(prefixes),
                }
            }
            _ => return Some(prefixes),
        }
        cursor.skip(1);
    }
}

/// Passes the escape bytes or the VEX, EVEX or XOP prefix, and the opcode; tells the opcode map.
fn read_opcode(cursor: &mut Cursor, prefixes: Prefixes) -> Option<(opcode::Map, u8)> {
    use opcode::Map;
    let first = cursor.next()?;
    let map = match first {
        0x0f => match cursor.next()? {
            0x38 => Map::Legacy0f38,
            0x3a => Map::Legacy0f3a,
            second => return Some((Map::Legacy0f, second)),
        },
        0xc5 | 0xc4 | 0x62 if prefixes.any() => return None,
        0xc5 => {
            cursor.skip(1);
            Map::Vector0f
        }
        0xc4 => {
            let selector = cursor.next()? & 0x1f;
            cursor.skip(1);
            opcode::vector_map(selector)?
        }
        0x62 => {
            let selector = cursor.next()? & 0x0f;
            cursor.skip(2);
            opcode::evex_map(selector)?
        }
        // Below 8 the map number is a `pop` operand's ModRM byte.
        0x8f if cursor.peek()? & 0x1f >= 8 => {
            if prefixes.any() {
                return None;
            }
            let selector = cursor.next()? & 0x1f;
            cursor.skip(1);
            opcode::xop_map(selector)?
        }
        _ => return Some((Map::OneByte, first)),
    };
    Some((map, cursor.next()?))
}

/// Passes the ModRM byte, a SIB byte and a displacement; gives the displacement's offset if it is relative to
/// the next instruction.
fn pass_modrm(cursor: &mut Cursor, register_only: bool) -> Option<Option<usize>> {
    let modrm = cursor.next()?;
    let (mode, base) = (modrm >> 6, modrm & 7);
    if mode == 3 || register_only {
        return Some(None);
    }
    let mut displacement = match mode {
        1 => 1,
        2 => 4,
        _ => 0,
    };
    let mut relative_operand = None;
    if base == 4 {
        let sib = cursor.next()?;
        if mode == 0 && sib & 7 == 5 {
            displacement = 4;
        }
    } else if mode == 0 && base == 5 {
        displacement = 4;
        relative_operand = Some(cursor.offset);
    }
    cursor.skip(displacement);
    Some(relative_operand)
}

/// Passes the immediate, and tells from it and the opcode where the instruction can go.
fn read_immediate(
    cursor: &mut Cursor,
    form: Form,
    modrm: u8,
    prefixes: Prefixes,
    operation: (opcode::Map, u8),
) -> Option<Flow> {
    let operand = if prefixes.operand_size && !prefixes.wide() { 2 } else { 4 };
    let first_two_extensions = modrm & 0x30 == 0;
    let size = match form.immediate {
        Immediate::None => 0,
        Immediate::Bytes(count) => usize::from(count),
        Immediate::Operand => operand,
        Immediate::Full if prefixes.wide() => 8,
        Immediate::Full => operand,
        Immediate::Address if prefixes.address_size => 4,
        Immediate::Address => 8,
        Immediate::TestByte => usize::from(first_two_extensions),
        Immediate::TestOperand if first_two_extensions => operand,
        Immediate::TestOperand => 0,
        Immediate::Branch(size) => {
            // Intel's processors ignore an operand-size prefix on a near branch, AMD's cut the target to 16
            // bits; with REX.W (the padding of thread-local storage calls) both ignore it.
            if operand == 2 && size == 4 {
                return None;
            }
            let displacement = cursor.signed(usize::from(size))?;
            return opcode::branch(operation, displacement);
        }
    };
    cursor.skip(size);
    if operation == (opcode::Map::OneByte, 0xc7) && modrm == 0xf8 {
        // `xbegin`: what looked like an immediate is where an aborted transaction continues.
        let start = cursor.offset.checked_sub(4)?;
        let displacement = Cursor { bytes: cursor.bytes, offset: start }.signed(4)?;
        return (size == 4).then_some(Flow::ConditionalFixed { displacement });
    }
    opcode::flow(operation, modrm)
}
