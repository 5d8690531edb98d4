//! Stacks at accesses and hand-overs, from the parts that a replay told.

use super::{Images, Space};
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
    /// Puts the parts together. A stack is told before the access, or hand-over, that it belongs to.
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
                what::HANDS_OVER => {
                    if let Some(stack) = unfinished.remove(&stream) {
                        captured.stacks.insert((stream, record.event), stack);
                    }
                }
                _ => {}
            }
        }
        captured
    }

    /// Whether that access was made by this instruction: in sync order another replay may go another way.
    pub fn is_by(&self, stream: u32, ordinal: u64, instruction: u64) -> bool {
        self.stacks.get(&(stream, ordinal)).is_some_and(|stack| stack.registers.instruction == instruction)
    }

    /// The functions on the stack, innermost first, as far as it is known: at the access of the thread before which so many
    /// were told, or where its turn ended when it had taken so many events.
    pub fn of(&self, stream: u32, ordinal: u64, space: Space, images: &Images) -> Vec<String> {
        let Some(Stack { registers, words }) = self.stacks.get(&(stream, ordinal)) else { return Vec::new() };
        let mut unwinders = self.unwinders.borrow_mut();
        let unwinder = unwinders.entry(space).or_insert_with(|| images.stacks(space));
        let word = |address: u64| {
            let offset = address.checked_sub(registers.stack)?;
            if offset % 8 != 0 { None } else { words.get(usize::try_from(offset / 8).ok()?).copied() }
        };
        let (frames, _) = unwinder.frames(*registers, word);
        let places = frames
            .into_iter()
            .take_while(|frame| frame.address < HIGHEST)
            .map(|frame| frame.place.unwrap_or_else(|| format!("{:#x}", frame.address)));
        without_beginning(places.collect())
    }
}

/// No program's code is from here on: what a function without unwind information has in its frame pointer leads anywhere.
const HIGHEST: u64 = 1 << 47;

/// What libc does before it calls a thread's function, or `main`, has no names and tells nothing.
fn without_beginning(mut stack: Vec<String>) -> Vec<String> {
    let named = stack.iter().rposition(|frame| !frame.starts_with("??")).map_or(0, |last| last + 1);
    stack.truncate(named);
    stack
}
