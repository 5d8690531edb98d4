//! A scale of sizes with eight steps to each doubling.
//!
//! Blocks are rounded up to it (in units of 16 bytes), which wastes at most an eighth; free runs of pages are kept in
//! lists by it. Its first values are 0, 1, ... 16, 18, 20, ... 32, 36, 40, ...

/// The last step whose value is at most `amount`.
pub const fn at_most(amount: usize) -> usize {
    if amount < 8 {
        return amount;
    }
    let doublings = amount.ilog2() as usize;
    (doublings - 2) * 8 + (amount >> (doublings - 3)) % 8
}

/// The first step whose value is at least `amount`.
pub const fn at_least(amount: usize) -> usize {
    match amount {
        0 => 0,
        _ => at_most(amount - 1) + 1,
    }
}

/// The value of a step.
pub const fn value(step: usize) -> usize {
    if step < 8 { step } else { (8 + step % 8) << (step / 8 - 1) }
}
