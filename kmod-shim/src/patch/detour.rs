//! How the entry of a function can lead elsewhere first, with the function itself still to be called.
//!
//! Used on the vDSO, whose `__vdso_clock_gettime` and its like answer without any system call, so that nothing
//! else would see them. Unlike a `syscall` site, an entry may need several instructions replaced; then nothing
//! may be executing, or jump to, the second and following ones.
//!
//! ```text
//!   function: push rbp            jmp trampoline --->  trampoline: jmp  [rip + slot]       slot: hook
//!             lea  r10, [rip+x]   (remains)            original:   push rbp
//!             mov  rbp, rsp       mov rbp, rsp  <--+               lea  r10, [rip+x']
//!                                                  +-----------    jmp  function + 8
//! ```

use super::assemble::{Assembled, JUMP_LENGTH, jump};
use super::decode::Flow;
use super::eh_frame::{Function, Segment};
use super::function::{Placed, for_each_instruction, instructions};
use super::plan::{Others, is_atomic};
use super::refusal::Refusal;
use core::ops::Range;

/// The change that makes one function lead elsewhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detour {
    /// The function's first byte, which is where the jump is written.
    pub function: u64,
    /// The jump.
    pub patch: [u8; JUMP_LENGTH],
    /// What the jump leads to, and the moved start of the function.
    pub trampoline: Assembled,
    /// Calling this address does what calling the function did.
    pub original: u64,
}

/// Plans a detour of `function` to `hook`, through a trampoline at `trampoline_address`. `tables` is the object's read-only
/// data, where jump tables are.
///
/// # Errors
/// Why the function cannot be redirected. With `Others::Running`, also because its first instruction alone has
/// no room for an aligned jump.
pub fn detour(
    code: &Segment,
    tables: &Segment,
    function: &Function,
    trampoline_address: u64,
    hook: u64,
    others: Others,
) -> Result<Detour, Refusal> {
    let start = function.range.start;
    let mut trampoline = Assembled::at(trampoline_address);
    trampoline.mark(start);
    trampoline.push_far_jump(hook)?;
    let original = trampoline.end();
    let mut returns = false;
    let mut moved_end = start;
    let mut all = instructions(code, function)?;
    while moved_end < start + JUMP_LENGTH as u64 {
        let (placed, bytes) = all.next().ok_or(Refusal::NoRoom)??;
        trampoline.push_moved_or_called(bytes, &placed.instruction, placed.address)?;
        // A call has five bytes, and so is the last to be moved.
        returns = matches!(placed.instruction.flow, Flow::Call { .. });
        moved_end = placed.end();
    }
    if !returns {
        trampoline.mark(moved_end);
        trampoline.push_jump(moved_end)?;
    }
    check_entries(code, tables, function, start..moved_end)?;
    let single = super::decode::decode(code.from(start).unwrap_or_default())
        .is_some_and(|first| start + first.length as u64 == moved_end);
    if others == Others::Running && !(single && is_atomic(start)) {
        return Err(Refusal::NotAtomic);
    }
    Ok(Detour { function: start, patch: jump(start, trampoline_address)?, trampoline, original })
}

/// Plans that `function` is not executed any more, but `hook`, through a trampoline at `trampoline_address`. For functions
/// whose first instructions cannot be moved, as those of a loop that begins there.
///
/// # Errors
/// Why it cannot be.
pub fn replacement(function: &Function, trampoline_address: u64, hook: u64) -> Result<Detour, Refusal> {
    let start = function.range.start;
    if function.range.end - start < JUMP_LENGTH as u64 {
        return Err(Refusal::NoRoom);
    }
    let mut trampoline = Assembled::at(trampoline_address);
    trampoline.mark(start);
    trampoline.push_far_jump(hook)?;
    Ok(Detour { function: start, patch: jump(start, trampoline_address)?, trampoline, original: hook })
}

/// Refuses if something in the function may lead into `replaced`, even to its beginning: a loop there would go through the
/// hook again and again. A call of the function by itself is one like any other.
fn check_entries(
    code: &Segment,
    tables: &Segment,
    function: &Function,
    replaced: Range<u64>,
) -> Result<(), Refusal> {
    let (mut found, mut indirect, mut seen) = (Ok(()), None, false);
    for_each_instruction(code, function, |placed, bytes| {
        let enters = match placed.instruction.flow {
            Flow::JumpIndirect if placed.instruction.relative_operand.is_none() => {
                indirect = Some(placed.address);
                false
            }
            Flow::Call { .. } => {
                placed.target().is_some_and(|target| replaced.contains(&target) && target != replaced.start)
            }
            _ => placed.target().is_some_and(|target| replaced.contains(&target)),
        };
        let table =
            loaded_address(&placed, bytes).and_then(|table| tables.from(table).map(|bytes| (table, bytes)));
        if let Some((table, bytes)) = table {
            seen = true;
            let leads = |entry: &[u8; 4]| table.wrapping_add_signed(i32::from_le_bytes(*entry).into());
            let ours = |target: &u64| code.from(*target).is_some();
            let (entries, _) = bytes.as_chunks::<4>();
            if entries.iter().map(leads).take_while(ours).any(|target| replaced.contains(&target)) {
                found = Err(Refusal::Immovable(placed.address));
            }
        }
        if enters {
            found = Err(Refusal::Immovable(placed.address));
        }
    })?;
    match indirect {
        // Where it leads is not known.
        Some(address) if !seen => Err(Refusal::Immovable(address)),
        _ => found,
    }
}

/// The address that a `lea` relative to the next instruction gives: that of a jump table, if it is one of a compiler's. Its
/// entries are 32-bit distances from the table.
fn loaded_address(placed: &Placed, bytes: &[u8]) -> Option<u64> {
    const LEA: u8 = 0x8d;
    let offset = placed.instruction.relative_operand?;
    let opcode = *bytes.get(offset.checked_sub(2)?)?;
    let displacement = bytes.get(offset..)?.first_chunk::<4>()?;
    (opcode == LEA).then(|| placed.end().wrapping_add_signed(i32::from_le_bytes(*displacement).into()))
}
