//! The session of docs/DEBUGGING.md: its program crashes, its commands say what the document says.

use crate::debugger::{compile, session};
use crate::{Place, text};

const DOCUMENT: &str = include_str!("../../../docs/DEBUGGING.md");

/// The blocks of the document in this language.
fn blocks(language: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(language) {
            let block: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(block.join("\n"));
        }
    }
    blocks
}

/// A command, and what the document says that gdb answers: pieces of text, in this order.
struct Exchange {
    command: String,
    answers: Vec<String>,
}

fn exchanges() -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in blocks("gdb").join("\n").lines() {
        match (line.strip_prefix("(gdb) "), exchanges.last_mut()) {
            (Some(command), _) => {
                exchanges.push(Exchange { command: command.to_owned(), answers: Vec::new() })
            }
            (None, Some(exchange)) => {
                let pieces = line.split("...").map(|piece| piece.trim().to_owned());
                exchange.answers.extend(pieces.filter(|piece| !piece.is_empty()));
            }
            (None, None) => panic!("an answer without a command: {line}"),
        }
    }
    exchanges
}

#[test]
fn the_walk_through_says_what_happens() {
    let place = Place::new();
    let [source] = &blocks("c")[..] else { panic!("one program is expected") };
    let program = compile(&place, "orders", source, &["-O0", "-pthread"]);
    let recorded = place.record(&[&program]);
    assert!(recorded.status.code().is_none(), "it did not crash: {}", text(&recorded.stdout));
    let exchanges = exchanges();
    assert!(exchanges.len() > 15);
    let answered = session(&place, &["--gdb"], exchanges.iter().map(|exchange| exchange.command.as_str()));
    for (exchange, answer) in exchanges.iter().zip(&answered) {
        // gdb breaks long lines.
        let answer = answer.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut rest = answer.as_str();
        for piece in &exchange.answers {
            let piece = piece.split_whitespace().collect::<Vec<_>>().join(" ");
            let Some((_, behind)) = rest.split_once(&piece) else {
                panic!("after {}: {piece:?} is not in {rest:?} of {answer:?}", exchange.command)
            };
            rest = behind;
        }
    }
}
