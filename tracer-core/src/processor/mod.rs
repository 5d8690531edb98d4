//! What a recorded program is told of its processor: all of it, or what another one has, too, on which the trace is to be
//! replayed.
//!
//! A program learns of features in three ways. It executes `cpuid`, which the library answers ([`Hidden::hide`]). libc and
//! ld.so do that before there is anybody to answer; they are told by a variable in the environment
//! ([`Hidden::tunables`]). And the registers that a signal's frame has room for are those that the kernel saves.

mod table;

use core::fmt;
use core::sync::atomic::{AtomicU64, Ordering};
pub use table::FEATURES;

/// The micro-architecture levels of the x86-64 psABI, rising.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// What every x86-64 processor has.
    V1,
    /// Up to SSE 4.2, of 2008.
    V2,
    /// AVX2, of 2013.
    V3,
    /// AVX-512.
    V4,
}

impl Level {
    const NAMES: [(&'static str, Level); 5] = [
        ("x86-64", Level::V1),
        ("x86-64-v1", Level::V1),
        ("x86-64-v2", Level::V2),
        ("x86-64-v3", Level::V3),
        ("x86-64-v4", Level::V4),
    ];
}

/// Where `cpuid` puts a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "registers")]
pub enum Register {
    Eax,
    Ebx,
    Ecx,
    Edx,
}

/// An extension of the instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Feature {
    /// As /proc/cpuinfo calls it.
    pub name: &'static str,
    /// As others do, empty if they do not.
    pub other_name: &'static str,
    /// Leaf and sub-leaf of `cpuid`; the sub-leaf counts where there are several.
    pub leaf: [u32; 2],
    /// The word of the leaf.
    pub register: Register,
    /// Its bits there.
    pub bits: u32,
    /// The lowest level that has it.
    pub level: Option<Level>,
    /// What no processor has it without.
    pub needs: &'static [&'static str],
    /// As glibc's tunable glibc.cpu.hwcaps calls it, and what else libc must do without.
    pub glibc: &'static [&'static str],
}

/// Words of a set of features.
pub const WORDS: usize = 2;
/// The bit for all features that have no name here.
const OTHERS: usize = 64 * WORDS - 1;
const _: () = assert!(FEATURES.len() < OTHERS);

/// The features that a program is not told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hidden([u64; WORDS]);

/// Why a description of a processor means nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unknown(String);

impl fmt::Display for Unknown {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for Unknown {}

impl std::str::FromStr for Hidden {
    type Err = Unknown;

    /// `LEVEL`, and then, or alone, `-NAME` or `+NAME` for features, divided by commas.
    fn from_str(text: &str) -> Result<Hidden, Unknown> {
        let mut hidden = Hidden::default();
        for (place, part) in text.split(',').enumerate() {
            if let Some((_, level)) = Level::NAMES.iter().find(|(name, _)| *name == part) {
                if place > 0 {
                    return Err(Unknown(format!("{part} must come first")));
                }
                hidden = Hidden::beyond(*level);
            } else if let Some(name) = part.strip_prefix('-') {
                hidden.set(feature(name)?, true);
            } else if let Some(name) = part.strip_prefix('+') {
                hidden.show(feature(name)?);
            } else {
                return Err(Unknown(format!(
                    "{part:?} is neither a level (x86-64, x86-64-v2, x86-64-v3, x86-64-v4) nor a feature with - or + before it"
                )));
            }
        }
        hidden.complete();
        Ok(hidden)
    }
}

/// The place of a feature in the table.
fn feature(name: &str) -> Result<usize, Unknown> {
    let is_it = |feature: &Feature| feature.name == name || !name.is_empty() && feature.other_name == name;
    FEATURES.iter().position(is_it).ok_or_else(|| {
        Unknown(format!(
            "{name:?} is no feature that can be hidden; they are called as in /proc/cpuinfo: avx2, sse4_2, aes..."
        ))
    })
}

/// The place of a feature that another one needs. The table is complete, as a test proves.
fn needed(name: &str) -> Option<usize> {
    FEATURES.iter().position(|feature| feature.name == name)
}

impl Hidden {
    /// All that `level` does not have, known by name or not.
    fn beyond(level: Level) -> Hidden {
        let mut hidden = Hidden::default();
        for (place, feature) in FEATURES.iter().enumerate() {
            hidden.set(place, feature.level.is_none_or(|first| first > level));
        }
        hidden.set(OTHERS, true);
        hidden
    }

    fn set(&mut self, place: usize, hidden: bool) {
        let bit = 1 << (place % 64);
        self.0[place / 64] = if hidden { self.0[place / 64] | bit } else { self.0[place / 64] & !bit };
    }

    fn has(&self, place: usize) -> bool {
        self.0[place / 64] >> (place % 64) & 1 == 1
    }

    /// Shows a feature, and what it needs.
    fn show(&mut self, place: usize) {
        self.set(place, false);
        for name in FEATURES[place].needs {
            if let Some(needed) = needed(name) {
                self.show(needed);
            }
        }
    }

    /// Hides what needs something that is hidden.
    fn complete(&mut self) {
        loop {
            let before = *self;
            for (place, feature) in FEATURES.iter().enumerate() {
                if feature.needs.iter().filter_map(|name| needed(name)).any(|needed| before.has(needed)) {
                    self.set(place, true);
                }
            }
            if *self == before {
                return;
            }
        }
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        *self == Hidden::default()
    }

    /// Whether the feature that /proc/cpuinfo calls so is hidden. What is no instruction of programs (the kernel's, or none at
    /// all) decides nothing where a level says what there is: it is hidden, too.
    pub fn hides(&self, name: &str) -> bool {
        self.has(needed(name).unwrap_or(OTHERS))
    }

    /// Takes what is hidden out of an answer of `cpuid`: eax to edx.
    pub fn hide(&self, leaf: u32, sub_leaf: u32, answer: &mut [u32; 4]) {
        /// Leaves that have features, and nothing else but the number of sub-leaves in eax of the first.
        const FEATURES_ONLY: u32 = 7;
        let here = |feature: &&Feature| {
            feature.leaf[0] == leaf && (!has_sub_leaves(leaf) || feature.leaf[1] == sub_leaf)
        };
        let mut shown = [0; 4];
        for (place, feature) in FEATURES.iter().enumerate().filter(|(_, feature)| here(feature)) {
            let word = feature.register as usize;
            if self.has(place) {
                answer[word] &= !feature.bits;
            } else {
                shown[word] |= feature.bits;
            }
        }
        if leaf == FEATURES_ONLY && self.has(OTHERS) {
            let first = usize::from(sub_leaf == 0);
            answer.iter_mut().zip(shown).skip(first).for_each(|(word, shown)| *word &= shown);
        }
        // They describe what these features have.
        let of = match leaf {
            0x19 => "kl",
            0x1d | 0x1e => "amx_tile",
            0x24 => "avx10",
            _ => return,
        };
        if self.hides(of) {
            *answer = [0; 4];
        }
    }

    /// The components of the state that `xsave` saves of which the program knows (Intel SDM volume 1, 13.1).
    pub fn components(&self) -> u64 {
        const ALWAYS: u64 = 0b11;
        let of = [
            ("avx", 1 << 2),
            ("mpx", 0b11 << 3),
            ("avx512f", 0b111 << 5),
            ("pku", 1 << 9),
            ("amx_tile", 0b11 << 17),
            ("apx_f", 1 << 19),
        ];
        let known = of.iter().fold(0, |known, (_, bits)| known | bits);
        let shown = of.iter().filter(|(name, _)| !self.hides(name)).fold(ALWAYS, |all, (_, bits)| all | bits);
        if self.has(OTHERS) { shown } else { shown | !known }
    }

    /// A value of GLIBC_TUNABLES that is the `present` one, which may be empty, and tells libc and ld.so what they must do
    /// without. Of what it says of a feature the last counts.
    pub fn tunables(&self, present: &[u8]) -> Vec<u8> {
        const NAME: &[u8] = b"glibc.cpu.hwcaps=";
        let hidden = FEATURES.iter().enumerate().filter(|(place, _)| self.has(*place));
        let mut names: Vec<&str> = hidden.flat_map(|(_, feature)| feature.glibc).copied().collect();
        names.sort_unstable();
        names.dedup();
        let ours = names.iter().flat_map(|name| [",-", name]).collect::<String>().into_bytes();
        if ours.is_empty() || contains(present, &ours[1..]) {
            return present.to_vec();
        }
        let mut parts: Vec<Vec<u8>> =
            present.split(|byte| *byte == b':').filter(|part| !part.is_empty()).map(<[u8]>::to_vec).collect();
        match parts.iter_mut().rfind(|part| part.starts_with(NAME)) {
            Some(part) => part.extend_from_slice(&ours),
            None => parts.push([NAME, &ours[1..]].concat()),
        }
        parts.join(&b':')
    }
}

/// The variable that libc and ld.so read their tunables from.
const TUNABLES: &[u8] = b"GLIBC_TUNABLES=";

impl Hidden {
    /// Tells libc and ld.so in a program's environment what they must do without, whatever else it says. `text` gives a
    /// variable's text, and `variable` makes one of it.
    pub fn tell_libc<V>(
        &self,
        environment: &mut Vec<V>,
        text: impl Fn(&V) -> &[u8],
        variable: impl Fn(Vec<u8>) -> V,
    ) {
        let present = environment.iter().position(|variable| text(variable).starts_with(TUNABLES));
        let value = present.map_or(&[][..], |place| &text(&environment[place])[TUNABLES.len()..]);
        let value = self.tunables(value);
        let told = variable([TUNABLES, &value].concat());
        match present {
            Some(place) => environment[place] = told,
            None if value.is_empty() => {}
            None => environment.push(told),
        }
    }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// Whether ecx chooses among answers of this leaf.
fn has_sub_leaves(leaf: u32) -> bool {
    [7, 0xd].contains(&leaf)
}

/// A set that processes share.
#[repr(C)]
#[derive(Debug, Default)]
pub struct SharedHidden([AtomicU64; WORDS]);

impl SharedHidden {
    /// What it is.
    pub fn get(&self) -> Hidden {
        Hidden(self.0.each_ref().map(|word| word.load(Ordering::Relaxed)))
    }

    /// Makes it another one, before the program begins.
    pub fn set(&self, hidden: Hidden) {
        for (to, from) in self.0.iter().zip(hidden.0) {
            to.store(from, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests;
