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
use super::function::for_each_instruction;
use super::plan::{Others, is_atomic};
use super::refusal::Refusal;

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

/// Plans a detour of `function` to `hook`, through a trampoline at `trampoline_address`.
///
/// # Errors
/// Why the function cannot be redirected. With `Others::Running`, also because its first instruction alone has
/// no room for an aligned jump.
pub fn detour(
    code: &Segment,
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
    let mut moved = Ok(());
    let mut moved_end = start;
    for_each_instruction(code, function, |placed, bytes| {
        if placed.address < start + JUMP_LENGTH as u64 && moved.is_ok() {
            moved = trampoline.push_moved(bytes, &placed.instruction, placed.address);
            moved_end = placed.end();
        }
    })?;
    moved?;
    if moved_end < start + JUMP_LENGTH as u64 {
        return Err(Refusal::NoRoom);
    }
    trampoline.mark(moved_end);
    trampoline.push_jump(moved_end)?;
    check_entries(code, function, start + 1..moved_end)?;
    let single = super::decode::decode(code.from(start).unwrap_or_default())
        .is_some_and(|first| start + first.length as u64 == moved_end);
    if others == Others::Running && !(single && is_atomic(start)) {
        return Err(Refusal::NotAtomic);
    }
    Ok(Detour { function: start, patch: jump(start, trampoline_address)?, trampoline, original })
}

/// Refuses if something in the function may lead into `replaced`.
fn check_entries(
    code: &Segment,
    function: &Function,
    replaced: core::ops::Range<u64>,
) -> Result<(), Refusal> {
    let mut found = Ok(());
    for_each_instruction(code, function, |placed, _| {
        let enters = match placed.instruction.flow {
            // Where a jump table leads is not known.
            Flow::JumpIndirect => placed.instruction.relative_operand.is_none(),
            _ => placed.target().is_some_and(|target| replaced.contains(&target)),
        };
        if enters {
            found = Err(Refusal::Immovable(placed.address));
        }
    })?;
    found
}
