//! The rewriter against the libraries and programs of this system: every function of them decoded, every
//! `syscall` planned, and each result checked by an independent disassembler (iced-x86) and reader (gimli).

use std::collections::BTreeMap;
use std::ops::Range;

use iced_x86::{Code, Decoder, DecoderOptions, FlowControl, Instruction, Register};
use kmod_shim::patch::decode::{Flow, decode};
use kmod_shim::patch::detour::detour;
use kmod_shim::patch::eh_frame::function_containing;
use kmod_shim::patch::plan::{Others, Plan, plan};
use kmod_shim::patch::{Refusal, assemble::JUMP_LENGTH};

use object::{Object as _, ObjectSymbol as _};

use crate::loaded::{Loaded, OBJECTS};

const STUB: u64 = 0x7fff_e000_0010;
const ENTRY: u64 = 0x1234_5678_9abc;

fn objects() -> impl Iterator<Item = (&'static str, Loaded)> {
    OBJECTS.iter().filter_map(|&path| Some((path, Loaded::open(path)?)))
}

/// The instructions of `range`, as iced-x86 sees them, up to the first that it does not know.
fn instructions(loaded: &Loaded, range: &Range<u64>) -> Vec<Instruction> {
    let Some(bytes) = loaded.code().get(range.clone()) else { return Vec::new() };
    let decoder = Decoder::with_ip(64, bytes, range.start, DecoderOptions::NONE);
    decoder.into_iter().take_while(|instruction| !instruction.is_invalid()).collect()
}

fn is_branch(instruction: &Instruction) -> bool {
    instruction.is_jcc_short_or_near()
        || instruction.is_jmp_short_or_near()
        || instruction.is_loop()
        || instruction.is_loopcc()
        || instruction.is_jcx_short()
        || matches!(instruction.code(), Code::Xbegin_rel32)
}

#[test]
fn the_needed_objects_are_installed() {
    let found: Vec<_> = objects().map(|(path, _)| path).collect();
    for needed in ["libc.so", "ld-linux", "libcrypto"] {
        assert!(found.iter().any(|path| path.contains(needed)), "no {needed} among {found:?}");
    }
}

#[test]
fn every_instruction_is_decoded_as_iced_decodes_it() {
    for (path, loaded) in objects() {
        let mut count = 0_u64;
        for range in &loaded.functions {
            for expected in instructions(&loaded, range) {
                if expected.code() == Code::Int3 {
                    break;
                }
                let bytes = loaded.code().from(expected.ip()).expect("code");
                let place = format!("{path} {:#x}: {:02x?}", expected.ip(), &bytes[..expected.len()]);
                let found = decode(bytes).unwrap_or_else(|| panic!("{place}: unknown"));
                assert_eq!(found.length, expected.len(), "{place}");
                check_flow(found.flow, &expected, &place);
                let operand = found.relative_operand.map(|offset| {
                    let field = bytes[offset..offset + 4].try_into().expect("4 bytes");
                    expected.next_ip().wrapping_add_signed(i64::from(i32::from_le_bytes(field)))
                });
                let relative = expected.is_ip_rel_memory_operand();
                assert_eq!(operand, relative.then(|| expected.ip_rel_memory_address()), "{place}");
                count += 1;
            }
        }
        assert!(count > 1000, "{path}: only {count} instructions");
        println!("{path}: {count} instructions");
    }
}

fn check_flow(found: Flow, expected: &Instruction, place: &str) {
    let target = |displacement: i32| expected.next_ip().wrapping_add_signed(i64::from(displacement));
    match found {
        Flow::Conditional { displacement, .. }
        | Flow::ConditionalFixed { displacement }
        | Flow::Jump { displacement }
        | Flow::Call { displacement } => {
            assert_eq!(target(displacement), expected.near_branch_target(), "{place}");
        }
        _ => assert!(!is_branch(expected), "{place}: {found:?}"),
    }
    let agrees = match found {
        Flow::Next => match expected.flow_control() {
            FlowControl::Next => expected.code() != Code::Hlt,
            // `xend`, `xabort`, `vmcall`: they go on with the next instruction.
            FlowControl::XbeginXabortXend => true,
            FlowControl::Call => !matches!(expected.code(), Code::Syscall | Code::Sysenter),
            _ => false,
        },
        Flow::Conditional { condition, .. } => {
            expected.is_jcc_short_or_near() && condition_number(expected) == condition
        }
        Flow::ConditionalFixed { .. } => is_branch(expected) && !expected.is_jcc_short_or_near(),
        Flow::Jump { .. } => expected.is_jmp_short_or_near(),
        Flow::JumpIndirect => expected.flow_control() == FlowControl::IndirectBranch,
        Flow::Call { .. } => expected.is_call_near(),
        Flow::CallIndirect => expected.flow_control() == FlowControl::IndirectCall,
        Flow::Return => expected.flow_control() == FlowControl::Return,
        Flow::Syscall => expected.code() == Code::Syscall,
        Flow::Trap => {
            matches!(expected.flow_control(), FlowControl::Exception | FlowControl::Interrupt)
                || matches!(expected.code(), Code::Hlt | Code::Sysenter)
        }
    };
    assert!(agrees, "{place}: {found:?} against {:?}", expected.code());
}

/// The condition as the processor numbers it; iced numbers them one higher.
fn condition_number(instruction: &Instruction) -> u8 {
    instruction.condition_code() as u8 - 1
}

#[test]
fn every_function_is_found_as_gimli_finds_it() {
    for (path, loaded) in objects() {
        let find = |address| function_containing(&loaded.unwind(), loaded.object.unwind_header, address);
        let mut previous_end = 0;
        for range in loaded.functions.iter().filter(|range| !range.is_empty()) {
            let middle = range.start + (range.end - range.start) / 2;
            for address in [range.start, middle, range.end - 1] {
                let function = find(address).unwrap_or_else(|| panic!("{path}: nothing at {address:#x}"));
                assert_eq!(function.range, *range, "{path} {address:#x}");
            }
            if previous_end < range.start {
                assert_eq!(find(range.start - 1), None, "{path}: padding before {range:x?}");
            }
            previous_end = range.end;
        }
        assert_eq!(find(previous_end), None, "{path}: after the last function");
        assert_eq!(find(0), None, "{path}: before the first");
        assert!(loaded.functions.len() > 100, "{path}: only {} functions", loaded.functions.len());
    }
}

/// Plans for all sites of an object, and the refusals.
fn plans(loaded: &Loaded, others: Others) -> (Vec<Plan>, Vec<(u64, Refusal)>) {
    let mut plans = Vec::new();
    let mut refusals = Vec::new();
    for range in &loaded.functions {
        for instruction in instructions(loaded, range).iter().filter(|i| i.code() == Code::Syscall) {
            let site = instruction.ip();
            let function = function_containing(&loaded.unwind(), loaded.object.unwind_header, site);
            let function = function.expect("the function");
            match plan(&loaded.code(), site, &function, STUB, ENTRY, others) {
                Ok(plan) => plans.push(plan),
                Err(refusal) => refusals.push((site, refusal)),
            }
        }
    }
    (plans, refusals)
}

#[test]
fn nearly_every_system_call_can_be_rewritten() {
    for (path, loaded) in objects() {
        let (stopped, refusals) = plans(&loaded, Others::Stopped);
        let (running, _) = plans(&loaded, Others::Running);
        let sites = stopped.len() + refusals.len();
        println!(
            "{path}: {sites} sites, {} rewritten, {} of them in one store; refused: {refusals:x?}",
            stopped.len(),
            running.len()
        );
        let percent = |count: usize| 100 * count / sites.max(1);
        if path.contains("libc.so") {
            assert!(sites > 400, "only {sites} sites in libc");
            assert!(percent(stopped.len()) >= 97 && percent(running.len()) >= 80);
        }
        if path.contains("ld-linux") {
            assert!(percent(stopped.len()) >= 85);
        }
        for (site, refusal) in refusals {
            assert!(
                matches!(refusal, Refusal::NoRoom | Refusal::SignalReturn),
                "{path} {site:#x}: {refusal}"
            );
        }
    }
}

#[test]
fn a_signal_return_is_never_rewritten() {
    let libc = Loaded::open(OBJECTS[0]).expect("libc");
    let (_, refusals) = plans(&libc, Others::Stopped);
    let kept = refusals.iter().filter(|(_, refusal)| *refusal == Refusal::SignalReturn).count();
    assert_eq!(kept, 1, "{refusals:x?}");
}

#[test]
fn a_rewritten_site_does_what_it_did() {
    for (path, loaded) in objects() {
        for others in [Others::Stopped, Others::Running] {
            for plan in plans(&loaded, others).0 {
                check_plan(path, &loaded, &plan, others);
            }
        }
    }
}

fn decode_all(bytes: &[u8], address: u64) -> Vec<Instruction> {
    Decoder::with_ip(64, bytes, address, DecoderOptions::NONE).into_iter().collect()
}

fn check_plan(path: &str, loaded: &Loaded, plan: &Plan, others: Others) {
    let place = format!("{path} {:#x}: {plan:x?}", plan.site);
    let replaced = loaded.code().get(plan.patch_address..plan.site).expect("the code before the site");
    let originals = decode_all(replaced, plan.patch_address);
    assert!(originals[0].len() >= JUMP_LENGTH, "{place}: the jump covers more than one instruction");
    if others == Others::Running {
        assert!(plan.patch_address % 8 <= 3, "{place}: the jump crosses a word");
    }

    let patch = decode_all(&plan.patch, plan.patch_address);
    assert_eq!((patch.len(), patch[0].code()), (1, Code::Jmp_rel32_64), "{place}");
    assert_eq!(patch[0].near_branch_target(), plan.stub.address(), "{place}");

    let stub = decode_all(plan.stub.bytes(), plan.stub.address());
    for (original, moved) in originals.iter().zip(&stub) {
        if original.is_jcc_short_or_near() {
            assert!(moved.is_jcc_short_or_near(), "{place}");
            assert_eq!(moved.condition_code(), original.condition_code(), "{place}");
            assert_eq!(moved.near_branch_target(), original.near_branch_target(), "{place}");
        } else {
            // iced's equality holds the absolute address of an operand relative to the instruction pointer.
            assert_eq!(moved, original, "{place}");
            assert!(!is_branch(original) && original.flow_control() == FlowControl::Next, "{place}");
        }
        let offset = (moved.ip() - plan.stub.address()) as usize;
        assert_eq!(plan.stub.origins().origin(offset), Some(original.ip()), "{place}");
    }
    let [resume, enter, ..] = stub[originals.len()..] else { panic!("{place}: the stub ends early") };
    assert_eq!((resume.code(), resume.op0_register()), (Code::Lea_r64_m, Register::RCX), "{place}");
    assert_eq!(resume.ip_rel_memory_address(), plan.site + 2, "{place}");
    assert_eq!(enter.code(), Code::Jmp_rm64, "{place}");
    let slot = (enter.ip_rel_memory_address() - plan.stub.address()) as usize;
    assert_eq!(plan.stub.bytes()[slot..], ENTRY.to_le_bytes(), "{place}");
}

#[test]
fn nothing_leads_into_a_jump() {
    for (path, loaded) in objects() {
        let mut inside = BTreeMap::new();
        for plan in plans(&loaded, Others::Stopped).0 {
            for offset in 1..JUMP_LENGTH as u64 {
                let previous = inside.insert(plan.patch_address + offset, plan.site);
                assert_eq!(previous, None, "{path}: two jumps overlap before {:#x}", plan.site);
            }
            assert!(!inside.contains_key(&plan.patch_address), "{path}: two jumps overlap");
        }
        for instruction in loaded.functions.iter().flat_map(|range| instructions(&loaded, range)) {
            let target = match instruction {
                branch if is_branch(&branch) || branch.is_call_near() => branch.near_branch_target(),
                operand if operand.is_ip_rel_memory_operand() => operand.ip_rel_memory_address(),
                _ => continue,
            };
            assert_eq!(inside.get(&target), None, "{path}: {:#x} leads to {target:#x}", instruction.ip());
        }
    }
}
/// Some functions that sync order redirects, each with another difficulty: a jump table, a call at the beginning.
const REDIRECTED: [&str; 5] =
    ["pthread_mutex_lock", "pthread_mutex_trylock", "sem_wait", "pthread_cond_wait", "pthread_once"];

#[test]
fn functions_of_libc_can_be_redirected() {
    let loaded = Loaded::open(OBJECTS[0]).expect("libc");
    let data = std::fs::read(OBJECTS[0]).expect("libc");
    let file = object::File::parse(&*data).expect("an ELF file");
    for name in REDIRECTED {
        let symbol = file.dynamic_symbols().filter(|symbol| symbol.name() == Ok(name));
        let address = symbol.map(|symbol| symbol.address()).max().expect(name) + loaded.start().address;
        let function =
            function_containing(&loaded.unwind(), loaded.object.unwind_header, address).expect(name);
        let trampoline = loaded.object.mapped.end + 0x1000;
        let detour = detour(&loaded.code(), &loaded.unwind(), &function, trampoline, 0, Others::Stopped);
        assert_eq!(detour.map(|detour| detour.function), Ok(address), "{name}");
    }
}
