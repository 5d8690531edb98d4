//! Lengths of buffers, by their rules.

use super::super::Syscall;
use super::super::kind::{Length, Limit};
use super::{Before, Memory, value, word};

const PAGE: u64 = 4096;
/// Versions of the capability structures.
const CAPABILITY_VERSIONS: [(u64, u64); 3] = [(0x1998_0330, 12), (0x2007_1026, 24), (0x2008_0522, 24)];

/// One call, with all that lengths depend on.
pub(in super::super) struct Call<'a, M> {
    pub s: &'a Syscall,
    pub a: &'a [u64; 6],
    pub before: &'a Before,
    pub result: i64,
    pub m: &'a M,
}

impl<M: Memory> Call<'_, M> {
    /// Argument `index` as a number, as wide as the kernel takes it.
    pub fn number(&self, index: u8) -> u64 {
        let register = value(self.a, index);
        match self.s.arguments.get(index as usize) {
            Some(argument) => argument.kind.number(register),
            None => register,
        }
    }

    /// The result as a count, 0 for an error.
    pub fn moved(&self) -> u64 {
        self.result.max(0) as u64
    }

    /// How many bytes at `address` the rule means.
    pub fn length(&self, rule: Length, address: u64) -> u64 {
        match rule {
            Length::Bytes(bytes) => bytes as u64,
            Length::Items { argument, size, header } => {
                self.number(argument).saturating_mul(size as u64).saturating_add(header as u64)
            }
            Length::Result { argument, size, header } => {
                let items = self.moved().min(self.number(argument));
                items.saturating_mul(size as u64).saturating_add(header as u64)
            }
            Length::ValueResult { argument } => {
                let after = word(self.m, value(self.a, argument)).unwrap_or(0);
                after.min(self.before.capacity)
            }
            Length::Bits { argument } => self.number(argument).div_ceil(64).saturating_mul(8),
            Length::Nodes { argument } => {
                self.number(argument).saturating_sub(1).div_ceil(64).saturating_mul(8)
            }
            Length::Pages { argument } => self.number(argument).div_ceil(PAGE),
            Length::Counted { header, count_at, limit, size } => {
                let field = |at: u16| word(self.m, address.saturating_add(at as u64)).unwrap_or(0);
                let limit = match limit {
                    Limit::None => u64::MAX,
                    Limit::Field(at) => field(at),
                    Limit::Earlier => self.before.capacity,
                };
                header as u64 + field(count_at).min(limit) * size as u64
            }
            Length::Capabilities { argument } => {
                let version = word(self.m, value(self.a, argument));
                let known = CAPABILITY_VERSIONS.iter().find(|(number, _)| Some(*number) == version);
                known.map_or(0, |(_, bytes)| *bytes)
            }
        }
    }
}
