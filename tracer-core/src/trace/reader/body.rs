//! What an event says, by kind.

use crate::event::{Header, Instruction, Kind, Operation, flags, operation};
use crate::trace::reader::item::{Item, Items};

/// Bytes of a `siginfo_t`.
const SIGNAL_INFORMATION: usize = 128;

/// What [`Kind::Instruction`] may have as its number.
const INSTRUCTIONS: [u16; 3] =
    [Instruction::Rdtsc as u16, Instruction::Rdtscp as u16, Instruction::Cpuid as u16];

/// The body of an event, see the table in [`crate::event`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// [`Kind::Start`].
    Start {
        /// The process image.
        items: Items,
    },
    /// [`Kind::Call`] and [`Kind::Entry`].
    Call {
        /// What the call gave back: a value, or an error number, negated. 0 for `Entry`.
        result: i64,
        /// What it was called with.
        arguments: Arguments,
        /// What it read and wrote.
        items: Items,
    },
    /// [`Kind::Clock`].
    Clock {
        /// What the function gave back.
        result: i64,
        /// Seconds that it stored.
        seconds: i64,
        /// Nanoseconds or microseconds that it stored.
        fraction: i64,
    },
    /// [`Kind::Instruction`]: registers afterwards.
    Instruction {
        /// Register.
        rax: u64,
        /// Register.
        rbx: u64,
        /// Register.
        rcx: u64,
        /// Register.
        rdx: u64,
    },
    /// [`Kind::Signal`].
    Signal {
        /// One `Output`: where the `siginfo_t` was stored, and its bytes; and where the program was, if the
        /// signal came between two instructions.
        items: Items,
    },
    /// [`Kind::Check`]: hashes of the state, 0 where none was taken.
    Check {
        /// Of the registers.
        registers: u64,
        /// Of memory.
        memory: u64,
        /// Of the calls before.
        calls: u64,
    },
    /// [`Kind::Turn`].
    Turn {
        /// The domain's count of hand-overs.
        turn: u64,
        /// Spin safepoints of the thread since its last turn began.
        spins: u64,
    },
    /// [`Kind::Operation`].
    Operation {
        /// The object's address.
        object: u64,
        /// Its place among the object's operations.
        place: u64,
        /// The stream of the thread whose operation comes before, if there is one.
        after: Option<u32>,
        /// Operations of the thread before it.
        passes: u64,
        /// What it returned.
        result: i64,
        /// Microseconds that the thread slept in it, rounded up; 0 if it did not, or a version before 0.3 recorded it.
        slept: u32,
    },
    /// [`Kind::Note`].
    Note {
        /// One `Text`: the message.
        items: Items,
    },
    /// [`Kind::Stop`].
    Stop {
        /// One `State`.
        items: Items,
    },
}

/// The arguments of a system call, up to six.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arguments {
    values: [u64; 6],
    count: u8,
}

impl std::ops::Deref for Arguments {
    type Target = [u64];

    fn deref(&self) -> &[u64] {
        &self.values[..self.count.into()]
    }
}

/// The kind of an event with this header, or what is wrong with the header.
pub(super) fn check_header(header: Header) -> Result<Kind, String> {
    let kind = Kind::from_byte(header.kind)
        .ok_or_else(|| format!("expected the kind of an event (1 to 11), found {}", header.kind))?;
    let number = header.number;
    match kind {
        Kind::Call | Kind::Entry if header.flags & flags::ARGUMENTS > 6 => {
            return Err("a call has more than 6 arguments".into());
        }
        Kind::Operation if Operation::from_number(number).is_none() => {
            return Err(format!("expected the number of an operation on an object, found {number}"));
        }
        Kind::Instruction if !INSTRUCTIONS.contains(&number) => {
            return Err(format!(
                "expected the number of an instruction (one of {INSTRUCTIONS:?}), found {number}"
            ));
        }
        _ => {}
    }
    if !header.length.is_multiple_of(8) {
        return Err(format!("a body's length must be a multiple of 8, found {}", header.length));
    }
    let fixed = fixed_words(kind, header.flags) * 8;
    let found = header.length as usize;
    if found < fixed || (found > fixed && !has_items(kind)) {
        return Err(format!(
            "a body of kind {kind:?} with {fixed} bytes before items cannot have {found} bytes"
        ));
    }
    Ok(kind)
}

/// How many 8-byte numbers a body begins with.
pub(in crate::trace) fn fixed_words(kind: Kind, flags: u8) -> usize {
    match kind {
        Kind::Call | Kind::Entry => 1 + usize::from(flags & flags::ARGUMENTS),
        Kind::Clock | Kind::Check => 3,
        Kind::Instruction | Kind::Operation => 4,
        Kind::Turn => 2,
        Kind::Start | Kind::Signal | Kind::Note | Kind::Stop => 0,
    }
}

/// Whether items follow those numbers.
pub(in crate::trace) fn has_items(kind: Kind) -> bool {
    matches!(kind, Kind::Start | Kind::Call | Kind::Entry | Kind::Signal | Kind::Note | Kind::Stop)
}

impl Body {
    /// The body in `bytes`, whose length [`check_header`] has accepted, or what is wrong with it.
    pub(super) fn parse(kind: Kind, header: Header, bytes: &[u8]) -> Result<Body, String> {
        let words = fixed_words(kind, header.flags);
        let word = |at: usize| u64::from_le_bytes(std::array::from_fn(|i| bytes[at * 8 + i]));
        let body = match kind {
            Kind::Clock => {
                return Ok(Body::Clock {
                    result: word(0) as i64,
                    seconds: word(1) as i64,
                    fraction: word(2) as i64,
                });
            }
            Kind::Instruction => {
                return Ok(Body::Instruction { rax: word(0), rbx: word(1), rcx: word(2), rdx: word(3) });
            }
            Kind::Check => {
                return Ok(Body::Check { registers: word(0), memory: word(1), calls: word(2) });
            }
            Kind::Turn => return Ok(Body::Turn { turn: word(0), spins: word(1) }),
            Kind::Operation => {
                return Ok(Body::Operation {
                    object: word(0),
                    place: word(1) & ((1 << operation::PLACE_BITS) - 1),
                    after: ((word(1) >> operation::PLACE_BITS) as u32).checked_sub(1),
                    passes: word(2),
                    result: word(3) as i32 as i64,
                    slept: (word(3) >> 32) as u32,
                });
            }
            Kind::Call | Kind::Entry => {
                let count = words - 1;
                let values = std::array::from_fn(|i| if i < count { word(1 + i) } else { 0 });
                let result = word(0) as i64;
                let arguments = Arguments { values, count: count as u8 };
                Body::Call { result, arguments, items: Items::parse(&bytes[words * 8..])? }
            }
            Kind::Start => Body::Start { items: Items::parse(bytes)? },
            Kind::Signal => Body::Signal { items: Items::parse(bytes)? },
            Kind::Note => Body::Note { items: Items::parse(bytes)? },
            Kind::Stop => Body::Stop { items: Items::parse(bytes)? },
        };
        body.check().map(|()| body)
    }

    /// What the kind asks of its items.
    fn check(&self) -> Result<(), String> {
        // Nearly every event is a call, of which nothing is asked.
        if !matches!(self, Body::Signal { .. } | Body::Note { .. } | Body::Stop { .. }) {
            return Ok(());
        }
        let mut items = self.items().iter();
        let (first, second) = (items.next(), items.next());
        match (self, first, second) {
            (Body::Signal { .. }, Some(Item::Output { bytes, .. }), None | Some(Item::State { .. }))
                if bytes.len() == SIGNAL_INFORMATION =>
            {
                Ok(())
            }
            (Body::Signal { .. }, ..) => Err(format!(
                "a signal must have one Output of {SIGNAL_INFORMATION} bytes, then a State or nothing"
            )),
            (Body::Note { .. }, Some(Item::Text { .. }), None) => Ok(()),
            (Body::Note { .. }, ..) => Err("a note must have one Text and nothing else".into()),
            (Body::Stop { .. }, Some(Item::State { .. }), None) => Ok(()),
            (Body::Stop { .. }, ..) => Err("a stop must have one State and nothing else".into()),
            _ => Ok(()),
        }
    }

    /// The items of a body; none for kinds without items.
    pub fn items(&self) -> &Items {
        match self {
            Body::Start { items }
            | Body::Call { items, .. }
            | Body::Signal { items }
            | Body::Note { items }
            | Body::Stop { items } => items,
            Body::Clock { .. }
            | Body::Instruction { .. }
            | Body::Check { .. }
            | Body::Turn { .. }
            | Body::Operation { .. } => Items::NONE,
        }
    }
}
