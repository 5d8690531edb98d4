//! How one `syscall` instruction can be reached by a jump instead of by a trap.
//!
//! The instruction has 2 bytes, a jump needs 5. Overwriting what follows is possible, but then whatever jumps
//! there, or returns there from a system call that another thread is blocked in, lands in the middle of a
//! jump. What *precedes* a `syscall` is nearly always `mov eax, number`, 5 bytes: so a jump replaces that one
//! instruction (or another single instruction of at least 5 bytes a little further up), and every other byte
//! of the function stays what it is:
//!
//! ```text
//!   mov  eax, 39        jmp  stub  ----->   stub: mov  eax, 39
//!   syscall             syscall                   lea  rcx, [rip + resume]
//!   resume: ...         resume: ...               jmp  [rip + slot]        slot: entry
//! ```
//!
//! That is sound whoever runs the function, however, at any time:
//!
//! * the jump begins where an instruction began and lies within it. Nothing can be about to execute its other
//!   bytes, unless a branch goes there: direct ones are looked for;
//! * code that jumps to what lies between, or to the `syscall` itself, finds it intact, and traps as before;
//! * a thread that is in the call, a signal frame, a `jmp_buf`, a landing pad or a jump table all point at
//!   instructions that are still there;
//! * `entry` continues at the address in rcx, which is where, and in which register, the kernel itself leaves
//!   it: afterwards the registers cannot tell a rewritten call from any other. Unwinders see the real caller.
//!
//! The stub changes nothing but rcx, which a `syscall` overwrites; the red zone and the flags are as they were.

use super::assemble::{Assembled, JUMP_LENGTH, jump};
use super::eh_frame::{Function, Segment};
use super::function::{Lead, Placed, lead_to};
use super::refusal::Refusal;

/// Length of a `syscall` instruction, in bytes.
pub const SYSCALL_LENGTH: u64 = 2;
/// `mov eax, 15` and `mov rax, 15`: how a signal handler's return trampoline begins.
const SIGNAL_RETURN: [&[u8]; 2] = [&[0xb8, 15, 0, 0, 0], &[0x48, 0xc7, 0xc0, 15, 0, 0, 0]];

/// Who else may execute the code while it is being changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Nobody: every other thread of the address space is stopped in our own code, or there is none.
    Stopped,
    /// Any thread: the jump must appear in a single aligned store.
    Running,
}

/// The change that makes one site jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The address of the `syscall` instruction.
    pub site: u64,
    /// Where the jump goes, which is the start of an instruction before the site.
    pub patch_address: u64,
    /// The jump.
    pub patch: [u8; JUMP_LENGTH],
    /// What the jump leads to.
    pub stub: Assembled,
}

impl Plan {
    /// Where the program continues after the call: the address that `entry` finds in rcx.
    pub fn resume(&self) -> u64 {
        self.site + SYSCALL_LENGTH
    }
}

/// Whether 5 bytes at `address` are within one aligned 8-byte word, which processors load and store at once.
pub(super) fn is_atomic(address: u64) -> bool {
    address % 8 + JUMP_LENGTH as u64 <= 8
}

/// Plans the rewriting of the `syscall` instruction at `site`, which is in `function`, in `code` as it was
/// before any rewriting. The stub will be at `stub_address` and go on to `entry`.
///
/// # Errors
/// Why the site has to go on trapping.
pub fn plan(
    code: &Segment,
    site: u64,
    function: &Function,
    stub_address: u64,
    entry: u64,
    others: Others,
) -> Result<Plan, Refusal> {
    if function.signal_frame {
        return Err(Refusal::SignalReturn);
    }
    let lead = lead_to(code, function, site)?;
    let is_signal_return = |placed: Placed| {
        code.get(placed.address..placed.address + placed.instruction.length as u64)
            .is_some_and(|bytes| SIGNAL_RETURN.contains(&bytes))
    };
    if lead.backwards().next().is_some_and(is_signal_return) {
        return Err(Refusal::SignalReturn);
    }
    let first = choose(&lead, others)?;
    let mut stub = Assembled::at(stub_address);
    let mut address = first.address;
    while address < site {
        let bytes = code.from(address).ok_or(Refusal::UnknownFunction)?;
        let instruction = super::decode::decode(bytes).ok_or(Refusal::UnknownInstruction(address))?;
        stub.push_moved(bytes, &instruction, address)?;
        address += instruction.length as u64;
    }
    stub.mark(site);
    stub.push_relative(&[0x48, 0x8d, 0x0d], site + SYSCALL_LENGTH)?;
    stub.push_far_jump(entry)?;
    Ok(Plan { site, patch_address: first.address, patch: jump(first.address, stub_address)?, stub })
}

/// The instruction to be replaced: the nearest, which the fewest branches can pass by.
fn choose(lead: &Lead, others: Others) -> Result<Placed, Refusal> {
    let fits = |placed: &Placed| placed.instruction.length >= JUMP_LENGTH && !lead.is_entered(placed);
    let mut fitting = lead.backwards().filter(fits).peekable();
    if fitting.peek().is_none() {
        return Err(Refusal::NoRoom);
    }
    fitting.find(|placed| others == Others::Stopped || is_atomic(placed.address)).ok_or(Refusal::NotAtomic)
}
