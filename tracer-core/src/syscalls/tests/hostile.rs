//! Any registers and any memory: nothing panics, and what is visited stays sane.

use crate::syscalls::table::INDEX;
use crate::syscalls::{Memory, before, behaviour, inputs, outputs};
use proptest::prelude::*;

/// Memory that answers with its own pattern, wherever it is asked, except where it refuses.
struct Anything {
    pattern: Vec<u8>,
    refuses: u64,
}

impl Memory for Anything {
    fn read(&self, address: u64, target: &mut [u8]) -> bool {
        if self.refuses != 0 && address.is_multiple_of(self.refuses) {
            return false;
        }
        for (at, byte) in target.iter_mut().enumerate() {
            *byte = self.pattern[(address as usize).wrapping_add(at) % self.pattern.len()];
        }
        true
    }
}

fn register() -> impl Strategy<Value = u64> {
    prop_oneof![
        Just(0),
        Just(u64::MAX),
        0..4096u64,
        0x1000..0x8000u64,
        any::<u64>(),
        u64::MAX - 4096..u64::MAX
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn nothing_panics(
        a in proptest::array::uniform6(register()),
        result in prop_oneof![any::<i64>(), -200..200i64],
        pattern in proptest::collection::vec(prop_oneof![Just(0u8), any::<u8>()], 1..80),
        refuses in 0..200u64,
    ) {
        let m = Anything { pattern, refuses };
        for row in INDEX.iter() {
            let _ = behaviour(row, &a);
            let known = before(row, &a, &m);
            let mut last = 0;
            outputs(row, &a, &known, result, &m, &mut |region| {
                assert!(region.address != 0 && region.length != 0, "{}: {region:?}", row.name);
                assert!(region.argument >= last, "{}: arguments out of order", row.name);
                assert!((region.argument as usize) < row.arguments.len(), "{}", row.name);
                last = region.argument;
            });
            inputs(row, &a, result, &m, &mut |_| {});
        }
    }

    #[test]
    fn anything_can_be_printed(
        a in proptest::array::uniform6(register()),
        result in prop_oneof![any::<i64>(), -200..200i64],
        pattern in proptest::collection::vec(any::<u8>(), 1..80),
    ) {
        let m = Anything { pattern, refuses: 3 };
        for row in INDEX.iter() {
            let text = super::printed(row, &a, Some(result), &m);
            assert!(text.starts_with(row.name) && text.contains(") = "), "{text}");
            assert!(super::printed(row, &a, None, &m).ends_with(')'));
        }
    }
}
