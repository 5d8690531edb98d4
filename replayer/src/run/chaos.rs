//! Seeds of `--chaos`.

use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU64;
use tracer_core::tell;

/// The seed that the user chose, or a random one; `None` without `--chaos`.
pub fn seed(option: Option<Option<NonZeroU64>>) -> Option<NonZeroU64> {
    option.map(|seed| seed.unwrap_or_else(random))
}

/// A seed that nobody chose. Short, because it may be typed again.
pub fn random() -> NonZeroU64 {
    // The standard library gets the keys of its hash tables from the kernel's random numbers.
    let number = RandomState::new().hash_one(()) as u32;
    NonZeroU64::new(number.into()).unwrap_or(NonZeroU64::MIN)
}

/// Says it on stderr.
pub fn tell(seed: Option<NonZeroU64>) {
    if let Some(seed) = seed {
        tell!("chaos seed {seed}");
    }
}
