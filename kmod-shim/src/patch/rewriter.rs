//! Putting plans into effect, and remembering what was changed.

use core::ops::Range;

use super::assemble::{Assembled, CAPACITY, JUMP_LENGTH};
use super::detour::{detour, replacement};
use super::eh_frame::{Function, Segment};
use super::kernel::{Kernel, Piece};
use super::near_memory::{NearMemory, Region};
use super::object::Object;
use super::origins::Origins;
use super::plan::{Others, plan};
use super::refusal::Refusal;
use super::write::{Change, Store, write};

/// One jump that was written.
struct Patch {
    /// Where.
    address: u64,
    /// What was there.
    original: [u8; JUMP_LENGTH],
    /// The `syscall` instruction that it spares, or the function entry that it redirects.
    site: u64,
    /// What it leads to.
    stub: Range<u64>,
    /// Where the stub's instructions came from.
    origins: Origins,
}

/// A jump to be written.
struct Jump<'a> {
    address: u64,
    bytes: [u8; JUMP_LENGTH],
    site: u64,
    stub: &'a Assembled,
}

/// Rewrites the code of this process, and knows what it has rewritten.
pub struct Rewriter<K> {
    kernel: K,
    entry: u64,
    memory: NearMemory,
    /// Sorted by address.
    patches: Vec<Patch>,
}

impl<K: Kernel> Rewriter<K> {
    /// Rewritten sites will go to `entry`, with the address to continue at in rcx and everything else as the
    /// program had it at its `syscall` instruction. Nothing is mapped or changed yet.
    pub const fn new(kernel: K, entry: u64) -> Rewriter<K> {
        Rewriter { kernel, entry, memory: NearMemory::new(), patches: Vec::new() }
    }

    /// Makes the `syscall` instruction at `site`, in `object`'s code, go to the entry without a trap from now
    /// on. A call that is in progress there returns as it would have.
    ///
    /// # Errors
    /// Why the site goes on trapping.
    ///
    /// # Safety
    /// `object` describes an object that is loaded, with the protections that its headers state, and stays so
    /// during the call. `others` is true.
    pub unsafe fn rewrite(&mut self, object: &Object, site: u64, others: Others) -> Result<(), Refusal> {
        // A jump leads to the next site after it: if this site has a jump, it is the last one before it.
        let after = self.patches.partition_point(|patch| patch.address <= site);
        let last = after.checked_sub(1).and_then(|last| self.patches.get(last));
        if last.is_some_and(|last| last.site == site) {
            return Err(Refusal::AlreadyPatched);
        }
        // SAFETY: the caller vouches for the object.
        let function = unsafe { object.function_at(site) }.ok_or(Refusal::UnknownFunction)?;
        let stub_address =
            self.memory.offer(&self.kernel, Region::Common, &object.mapped, CAPACITY as u64)?;
        let mut restored = Vec::new();
        // SAFETY: the code is a segment of the object; only this rewriter writes it, after the last use.
        let code = self.unpatched(unsafe { Segment::at(&object.code) }, &function, &mut restored)?;
        let plan = plan(&code, site, &function, stub_address, self.entry, others)?;
        let jump = Jump { address: plan.patch_address, bytes: plan.patch, site, stub: &plan.stub };
        // SAFETY: the plan was made for the code that is in memory.
        unsafe { self.apply(object, &jump, others) }
    }

    /// Makes calls of the function that begins at `address`, in `object`'s code, go to `hook`, by a stub in `region`; gives
    /// an address that can be called in place of the function.
    ///
    /// # Errors
    /// Why the function stays as it is.
    ///
    /// # Safety
    /// As [`Rewriter::rewrite`]; also, no thread is at the second to fifth byte of the function, and `hook` is a
    /// function of the same signature.
    pub unsafe fn redirect(
        &mut self,
        object: &Object,
        address: u64,
        hook: u64,
        others: Others,
        region: Region,
    ) -> Result<u64, Refusal> {
        // SAFETY: the caller vouches for all of it.
        unsafe { self.lead_elsewhere(object, address, hook, Some(others), region) }
    }

    /// As [`Rewriter::redirect`], for a function that will not be called any more. No other thread may run.
    ///
    /// # Errors
    /// Why the function stays as it is.
    ///
    /// # Safety
    /// As [`Rewriter::redirect`]; no thread is in the function.
    pub unsafe fn replace(&mut self, object: &Object, address: u64, hook: u64) -> Result<(), Refusal> {
        // SAFETY: the caller vouches for all of it.
        unsafe { self.lead_elsewhere(object, address, hook, None, Region::Common) }.map(|_| ())
    }

    /// # Safety
    /// As [`Rewriter::redirect`], or without others as [`Rewriter::replace`].
    unsafe fn lead_elsewhere(
        &mut self,
        object: &Object,
        address: u64,
        hook: u64,
        others: Option<Others>,
        region: Region,
    ) -> Result<u64, Refusal> {
        // SAFETY: the caller vouches for the object.
        let function = unsafe { object.function_at(address) }.ok_or(Refusal::UnknownFunction)?;
        let trampoline = self.memory.offer(&self.kernel, region, &object.mapped, CAPACITY as u64)?;
        let mut restored = Vec::new();
        // SAFETY: the code is a segment of the object; only this rewriter writes it, after the last use. So is the
        // read-only data that the unwind tables are in.
        let (code, tables) = unsafe {
            (
                self.unpatched(Segment::at(&object.code), &function, &mut restored)?,
                Segment::at(&object.unwind),
            )
        };
        let detour = match others {
            Some(others) => detour(&code, &tables, &function, trampoline, hook, others)?,
            None => replacement(&function, trampoline, hook)?,
        };
        if detour.function != address {
            return Err(Refusal::NotAnInstruction);
        }
        let jump = Jump { address, bytes: detour.patch, site: address, stub: &detour.trampoline };
        // SAFETY: the detour was made for the code that is in memory.
        unsafe { self.apply(object, &jump, others.unwrap_or(Others::Stopped)) }?;
        Ok(detour.original)
    }

    /// Forgets what was changed in `unmapped`, where another object may be loaded next. The stubs stay: an
    /// interrupted one may still be returned to.
    pub fn forget(&mut self, unmapped: &Range<u64>) {
        self.patches.retain(|patch| !unmapped.contains(&patch.address));
    }

    /// The address in the program that `address` stands for, if that is in a stub.
    pub fn origin(&self, address: u64) -> Option<u64> {
        let patch = self.patches.iter().find(|patch| patch.stub.contains(&address))?;
        patch.origins.origin((address - patch.stub.start) as usize)
    }

    /// The mappings that were made, for whoever hides ours from the program.
    pub fn mappings(&self) -> impl Iterator<Item = Range<u64>> {
        self.memory.mappings()
    }

    /// `code`, with what was changed in `function` as it was before (in `restored`), if anything was: a branch
    /// that is now in a stub still has to be seen, and what follows a jump is no instruction.
    fn unpatched<'a>(
        &self,
        code: Segment<'a>,
        function: &Function,
        restored: &'a mut Vec<u8>,
    ) -> Result<Segment<'a>, Refusal> {
        let first = self.patches.partition_point(|patch| patch.address < function.range.start);
        let end = self.patches.partition_point(|patch| patch.address < function.range.end);
        let inside = self.patches.get(first..end).unwrap_or_default();
        if inside.is_empty() {
            return Ok(code);
        }
        let bytes = code.get(function.range.clone()).ok_or(Refusal::UnknownFunction)?;
        restored.try_reserve_exact(bytes.len()).map_err(|_| Refusal::NoMemory)?;
        restored.extend_from_slice(bytes);
        for patch in inside {
            let offset = (patch.address - function.range.start) as usize;
            if let Some(changed) = restored.get_mut(offset..offset + JUMP_LENGTH) {
                changed.copy_from_slice(&patch.original);
            }
        }
        Ok(Segment { address: function.range.start, bytes: restored })
    }

    /// Writes a stub, then the jump to it.
    ///
    /// # Safety
    /// The jump is within the code of `object`, which is as [`Rewriter::rewrite`] says; the stub does what the
    /// code there does; `others` is true.
    unsafe fn apply(&mut self, object: &Object, jump: &Jump, others: Others) -> Result<(), Refusal> {
        let Jump { address, bytes, site, stub } = *jump;
        let index = self.patches.partition_point(|patch| patch.address < address);
        let overlaps = |patch: &Patch| patch.address.abs_diff(address) < JUMP_LENGTH as u64;
        if self.patches.iter().skip(index.saturating_sub(1)).take(2).any(overlaps) {
            return Err(Refusal::AlreadyPatched);
        }
        self.patches.try_reserve(1).map_err(|_| Refusal::NoMemory)?;
        let arena = self.memory.mapping_of(stub.address()).ok_or(Refusal::TooFar)?;
        let replaced = address..address + JUMP_LENGTH as u64;
        // SAFETY: it is code of the object.
        let original = unsafe { Segment::at(&replaced) }.bytes.first_chunk().copied();
        let original = original.ok_or(Refusal::UnknownFunction)?;
        let written_stub = Change {
            mapping: arena,
            piece: Piece { address: stub.address(), bytes: stub.bytes() },
            store: Store::Bytewise,
        };
        let written_jump = Change {
            mapping: object.code_mapping.clone(),
            piece: Piece { address, bytes: &bytes },
            store: match others {
                Others::Stopped => Store::Bytewise,
                Others::Running => Store::AtOnce,
            },
        };
        // SAFETY: the stub's place is in a mapping of ours, and nothing goes there before the jump is written.
        // That is in code of the object, and the caller knows who executes it.
        let written = unsafe { write(&self.kernel, &[written_stub, written_jump]) };
        if matches!(written, Ok(()) | Err(Refusal::LeftWritable(_))) {
            self.memory.take(stub.address(), stub.bytes().len() as u64);
            let (origins, stub) = (*stub.origins(), stub.address()..stub.end());
            self.patches.insert(index, Patch { address, original, site, stub, origins });
        }
        written
    }
}
