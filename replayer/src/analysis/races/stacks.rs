//! Stacks at accesses, from the parts that a replay told.

use super::super::watched::{Images, Space};
use crate::divergence::{Registers, Stacks};
use std::cell::RefCell;
use std::collections::HashMap;
use tracer_core::session::watch::{Record, StackPart, what};

/// Registers, and what lay at rsp and above.
struct Stack {
    registers: Registers,
    words: Vec<u64>,
}

/// See the module.
#[derive(Default)]
pub struct Captured {
    stacks: HashMap<(u32, u64), Stack>,
    unwinders: RefCell<HashMap<Space, Stacks>>,
}

impl Captured {
    /// Puts the parts together. A stack is told before the access that it belongs to.
    pub fn read(records: &[Record]) -> Captured {
        let mut captured = Captured::default();
        let (mut ordinals, mut unfinished) = (HashMap::<u32, u64>::new(), HashMap::<u32, Stack>::new());
        for record in records {
            let stream = record.stream;
            match record.what {
                what::STACK => {
                    let StackPart { number, words } = StackPart::from_record(record);
                    if number == 0 {
                        let [instruction, stack, frame, ..] = words;
                        let registers = Registers { instruction, stack, frame };
                        unfinished.insert(stream, Stack { registers, words: Vec::new() });
                    } else if let Some(stack) = unfinished.get_mut(&stream) {
                        stack.words.extend(words);
                    }
                }
                what::ACCESSES => {
                    let ordinal = ordinals.entry(stream).or_insert(0);
                    if let Some(stack) = unfinished.remove(&stream) {
                        captured.stacks.insert((stream, *ordinal), stack);
                    }
                    *ordinal += 1;
                }
                _ => {}
            }
        }
        captured
    }

    /// The functions on the stack at an access, innermost first, as far as it is known.
    pub fn of(&self, stream: u32, ordinal: u64, space: Space, images: &Images) -> Vec<String> {
        let Some(Stack { registers, words }) = self.stacks.get(&(stream, ordinal)) else { return Vec::new() };
        let mut unwinders = self.unwinders.borrow_mut();
        let unwinder = unwinders.entry(space).or_insert_with(|| images.stacks(space));
        let word = |address: u64| {
            let offset = address.checked_sub(registers.stack)?;
            if offset % 8 != 0 { None } else { words.get(usize::try_from(offset / 8).ok()?).copied() }
        };
        let (frames, _) = unwinder.frames(*registers, word);
        frames
            .into_iter()
            .map(|frame| frame.place.unwrap_or_else(|| format!("{:#x}", frame.address)))
            .collect()
    }
}
