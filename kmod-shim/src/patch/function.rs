//! Reading one function from its first byte to its last: the only way to know where instructions begin.

use super::decode::{Flow, Instruction, decode};
use super::eh_frame::{Function, Segment};
use super::refusal::Refusal;

/// The longest function that is read, in bytes: a tenth of a millisecond's worth.
const LONGEST_FUNCTION: u64 = 64 << 10;
/// How many instructions before a site are kept.
const KEPT: usize = 8;
/// How far before a site branch targets are kept, in bytes: more than `KEPT` instructions take.
const TARGET_WINDOW: u64 = u128::BITS as u64;

/// An instruction and where it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    pub(super) address: u64,
    pub(super) instruction: Instruction,
}

impl Placed {
    /// The address after the instruction.
    pub(super) fn end(&self) -> u64 {
        self.address.wrapping_add(self.instruction.length as u64)
    }

    /// Where the instruction goes if it is a direct branch or call.
    pub(super) fn target(&self) -> Option<u64> {
        match self.instruction.flow {
            Flow::Conditional { displacement, .. }
            | Flow::ConditionalFixed { displacement }
            | Flow::Jump { displacement }
            | Flow::Call { displacement } => Some(self.end().wrapping_add_signed(i64::from(displacement))),
            _ => None,
        }
    }
}

/// What was found before an address of interest.
pub(super) struct Lead {
    /// The last instructions from which nothing but branching away can keep execution from the address.
    kept: [Option<Placed>; KEPT],
    /// Addresses before it that a branch of the function goes to: bit 0 is `TARGET_WINDOW` bytes before.
    targets: u128,
    window: u64,
}

impl Lead {
    /// The instructions before the address, nearest first.
    pub(super) fn backwards(&self) -> impl Iterator<Item = Placed> {
        self.kept.iter().rev().map_while(|placed| *placed)
    }

    /// Whether a branch goes into the middle of the instruction, as hand-written code does to skip a prefix.
    pub(super) fn is_entered(&self, placed: &Placed) -> bool {
        (1..placed.instruction.length as u64).any(|offset| {
            let bit = placed.address.wrapping_add(offset).wrapping_sub(self.window);
            bit < TARGET_WINDOW && self.targets >> bit & 1 == 1
        })
    }
}

/// The instructions of `function`, in order, each with its bytes onward. What is not one ends them.
pub(super) fn instructions<'a>(
    code: &Segment<'a>,
    function: &Function,
) -> Result<impl Iterator<Item = Result<(Placed, &'a [u8]), Refusal>>, Refusal> {
    let length = function.range.end.saturating_sub(function.range.start);
    if length > LONGEST_FUNCTION {
        return Err(Refusal::FunctionTooLong);
    }
    let mut rest = code.get(function.range.clone()).ok_or(Refusal::UnknownFunction)?;
    let mut address = function.range.start;
    Ok(core::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let (here, bytes) = (address, rest);
        let Some(instruction) = decode(bytes) else {
            rest = &[];
            return Some(Err(Refusal::UnknownInstruction(here)));
        };
        address += instruction.length as u64;
        rest = rest.get(instruction.length..).unwrap_or_default();
        Some(Ok((Placed { address: here, instruction }, bytes)))
    }))
}

/// Calls `visit` with every instruction of `function`, in order, and its bytes onward.
pub(super) fn for_each_instruction<'a>(
    code: &Segment<'a>,
    function: &Function,
    mut visit: impl FnMut(Placed, &'a [u8]),
) -> Result<(), Refusal> {
    for next in instructions(code, function)? {
        let (placed, bytes) = next?;
        visit(placed, bytes);
    }
    Ok(())
}

/// Whether an instruction of `function` begins at `address`: what comes after it is not read.
pub(super) fn begins_at(code: &Segment, function: &Function, address: u64) -> Result<bool, Refusal> {
    let mut here = function.range.start;
    if address.saturating_sub(here) > LONGEST_FUNCTION {
        return Err(Refusal::FunctionTooLong);
    }
    let mut rest = code.get(function.range.clone()).ok_or(Refusal::UnknownFunction)?;
    while here < address {
        let instruction = decode(rest).ok_or(Refusal::UnknownInstruction(here))?;
        here += instruction.length as u64;
        rest = rest.get(instruction.length..).unwrap_or_default();
    }
    Ok(here == address)
}

/// Reads `function`, in which a `syscall` instruction must begin at `site`.
pub(super) fn lead_to(code: &Segment, function: &Function, site: u64) -> Result<Lead, Refusal> {
    let mut lead = Lead { kept: [None; KEPT], targets: 0, window: site.wrapping_sub(TARGET_WINDOW) };
    let mut found = false;
    for_each_instruction(code, function, |placed, _| {
        if let Some(target) = placed.target() {
            let bit = target.wrapping_sub(lead.window);
            if bit < TARGET_WINDOW {
                lead.targets |= 1 << bit;
            }
        }
        if placed.address == site {
            found = placed.instruction.flow == Flow::Syscall;
        }
        if placed.address >= site {
            return;
        }
        match placed.instruction.flow {
            Flow::Next | Flow::Conditional { .. } => {
                lead.kept.rotate_left(1);
                if let Some(last) = lead.kept.last_mut() {
                    *last = Some(placed);
                }
            }
            _ => lead.kept = [None; KEPT],
        }
    })?;
    if found { Ok(lead) } else { Err(Refusal::NotAnInstruction) }
}
