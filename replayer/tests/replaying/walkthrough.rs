//! The session of docs/DEBUGGING.md: its program crashes, its commands say what the document says.

use crate::Place;
use crate::debugger::{assert_session, compile};
use crate::document::{blocks, exchanges};

const DOCUMENT: &str = include_str!("../../../docs/DEBUGGING.md");
/// How often the program is run until it crashes: it does so nearly always, unless the machine is busy.
const RUNS: usize = 20;

#[test]
fn the_walk_through_says_what_happens() {
    let blocks = blocks(DOCUMENT);
    let of = |language| blocks.iter().filter(move |block| block.language == language);
    let [source] = &of("c").collect::<Vec<_>>()[..] else { panic!("one program is expected") };
    let crashed = (0..RUNS).find_map(|_| {
        let place = Place::new();
        let program = compile(&place, "orders", &source.text, &["-O0", "-pthread"]);
        place.record(&[&program]).status.code().is_none().then_some(place)
    });
    let place = crashed.expect("a crash");
    let text: Vec<&str> = of("gdb").map(|block| block.text.as_str()).collect();
    let exchanges = exchanges(&text.join("\n"), "(gdb) ");
    assert!(exchanges.len() > 15);
    assert_session(&place.trace(), &exchanges);
}
