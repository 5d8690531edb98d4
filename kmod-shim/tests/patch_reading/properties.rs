//! Arbitrary and damaged input: nothing panics, and nothing wrong is planned.

use std::sync::LazyLock;

use iced_x86::{Code, Decoder, DecoderOptions, Instruction};
use kmod_shim::patch::Others;
use kmod_shim::patch::assemble::JUMP_LENGTH;
use kmod_shim::patch::decode::{Flow, decode};
use kmod_shim::patch::detour::detour;
use kmod_shim::patch::eh_frame::{Function, Segment, function_containing};
use kmod_shim::patch::object::Object;
use kmod_shim::patch::plan::plan;
use proptest::prelude::*;

use crate::loaded::{Loaded, OBJECTS};

const START: u64 = 0x7fff_f7d0_0000;
const STUB: u64 = 0x7fff_f800_0000;

/// Code without jump tables.
const NO_TABLES: Segment = Segment { address: 0, bytes: &[] };

static LIBC: LazyLock<Loaded> = LazyLock::new(|| Loaded::open(OBJECTS[0]).expect("libc"));

/// Code of short, common instructions, branches, calls and system calls, in any order, so that most of it is
/// valid; or any bytes.
fn code() -> impl Strategy<Value = Vec<u8>> {
    let instruction = prop_oneof![
        4 => Just(vec![0x0f, 0x05]),
        4 => any::<u32>().prop_map(|number| [&[0xb8][..], &number.to_le_bytes()].concat()),
        2 => any::<i8>().prop_map(|to| vec![0x74, to as u8]),
        1 => any::<i8>().prop_map(|to| vec![0xeb, to as u8]),
        1 => any::<i8>().prop_map(|to| vec![0xe2, to as u8]),
        2 => any::<i32>().prop_map(|to| [&[0x48, 0x8d, 0x35][..], &to.to_le_bytes()].concat()),
        1 => (-200..200).prop_map(|to: i32| [&[0xe8][..], &to.to_le_bytes()].concat()),
        1 => (-200..200).prop_map(|to: i32| [&[0x0f, 0x85][..], &to.to_le_bytes()].concat()),
        2 => Just(vec![0x31, 0xff]),
        2 => Just(vec![0x4c, 0x89, 0xc7]),
        1 => Just(vec![0xc3]),
        1 => Just(vec![0xff, 0xe0]),
    ];
    prop_oneof![
        8 => prop::collection::vec(instruction, 1..60).prop_map(|code| code.concat()),
        1 => prop::collection::vec(any::<u8>(), 1..300),
    ]
}

/// The instructions that iced-x86 finds; `None` if some are none. They may pass for instructions in the code
/// under test, which tells lengths and flow and not every operand apart; they are never executed.
fn instructions(code: &[u8]) -> Option<Vec<Instruction>> {
    let decoder = Decoder::with_ip(64, code, START, DecoderOptions::NONE);
    let instructions: Vec<_> = decoder.into_iter().collect();
    instructions.iter().all(|instruction| !instruction.is_invalid()).then_some(instructions)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4096, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_decoded_as_iced_decodes_them(bytes in prop::collection::vec(any::<u8>(), 1..20)) {
        let mut decoder = Decoder::with_ip(64, &bytes, START, DecoderOptions::NONE);
        let expected = decoder.decode();
        if let Some(found) = decode(&bytes) {
            prop_assert!((1..=15).contains(&found.length) && found.length <= bytes.len());
            if !expected.is_invalid() {
                prop_assert_eq!(found.length, expected.len(), "{:?}", expected.code());
                prop_assert_eq!(found.flow == Flow::Syscall, expected.code() == Code::Syscall);
                prop_assert_eq!(found.relative_operand.is_some(), expected.is_ip_rel_memory_operand());
            }
        }
    }

    #[test]
    fn a_jump_replaces_one_instruction_that_leads_to_the_site(code in code(), end in any::<prop::sample::Index>()) {
        let segment = Segment { address: START, bytes: &code };
        let length = end.index(code.len()) as u64 + 1;
        let function = Function { range: START..START + length, signal_frame: false };
        let Some(instructions) = instructions(&code[..length as usize]) else { return Ok(()) };
        for site in START..START + length {
            let Ok(plan) = plan(&segment, site, &function, STUB, 0, Others::Stopped) else { continue };
            let patch = plan.patch_address;
            let inside = patch + 1..patch + JUMP_LENGTH as u64;
            prop_assert!(patch < site && inside.end <= site);
            let find = |address| instructions.iter().find(|instruction| instruction.ip() == address);
            prop_assert!(find(patch).is_some());
            prop_assert_eq!(find(site).map(Instruction::code), Some(Code::Syscall));
            for instruction in &instructions {
                prop_assert!(!inside.contains(&instruction.ip()));
                prop_assert!(!inside.contains(&instruction.near_branch_target()));
            }
            prop_assert_eq!(plan.stub.bytes().last_chunk::<8>(), Some(&[0; 8]));
        }
    }

    #[test]
    fn a_detour_moves_whole_instructions_that_nothing_leads_to(code in code()) {
        let segment = Segment { address: START, bytes: &code };
        let function = Function { range: START..START + code.len() as u64, signal_frame: false };
        let Some(instructions) = instructions(&code) else { return Ok(()) };
        for others in [Others::Stopped, Others::Running] {
            let Ok(detour) = detour(&segment, &NO_TABLES, &function, STUB, 0, others) else { continue };
            let trampoline = detour.trampoline.bytes();
            let moved = &trampoline[(detour.original - STUB) as usize..];
            let moves = instructions.iter().take_while(|next| next.ip() < START + JUMP_LENGTH as u64);
            let last = moves.last().expect("a moved instruction");
            let back = last.next_ip();
            prop_assert!(back >= START + JUMP_LENGTH as u64);
            let mut decoder = Decoder::with_ip(64, moved, detour.original, DecoderOptions::NONE);
            if last.is_call_near() {
                prop_assert_eq!(moved.last_chunk::<8>().map(|bytes| u64::from_le_bytes(*bytes)), Some(back));
            } else {
                prop_assert_eq!(decoder.iter().last().map(|jump| jump.near_branch_target()), Some(back));
            }
            for instruction in &instructions {
                prop_assert!(!(START + 1..back).contains(&instruction.near_branch_target()));
            }
        }
    }

    #[test]
    fn any_headers_are_read_without_harm(bytes in prop::collection::vec(any::<u8>(), 0..400), valid in 0_usize..64) {
        let mut bytes = bytes;
        let start = LIBC.start();
        let valid = valid.min(bytes.len());
        bytes[..valid].copy_from_slice(&start.bytes[..valid]);
        if let Some(object) = Object::read(&Segment { address: START, bytes: &bytes }, START) {
            prop_assert!(object.code.contains(&START));
        }
    }

    #[test]
    fn damaged_unwind_tables_give_no_function_that_does_not_contain_the_address(
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..40),
        cut in any::<prop::sample::Index>(),
        function in any::<prop::sample::Index>(),
    ) {
        let unwind = LIBC.unwind();
        let header = LIBC.object.unwind_header;
        let mut bytes = unwind.bytes.to_vec();
        let table = (header - unwind.address) as usize;
        for (place, value) in damage {
            // Half of it where the table's own header is, the rest anywhere behind.
            let place = if value & 1 == 0 { place.index(64) } else { place.index(bytes.len() - table) };
            bytes[table + place] ^= value;
        }
        bytes.truncate(table + cut.index(bytes.len() - table));
        let damaged = Segment { address: unwind.address, bytes: &bytes };
        let address = LIBC.functions[function.index(LIBC.functions.len())].start;
        if let Some(found) = function_containing(&damaged, header, address) {
            prop_assert!(found.range.contains(&address));
        }
    }
}
