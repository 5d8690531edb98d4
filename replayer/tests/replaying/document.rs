//! Documents that are tests: their programs, and their commands with what these answer.

/// A block of code.
#[derive(Debug)]
pub struct Block<'a> {
    /// What stands behind its opening fence.
    pub language: &'a str,
    pub text: String,
}

/// The blocks of a document, or of a part of one.
pub fn blocks(document: &str) -> Vec<Block<'_>> {
    let mut blocks = Vec::new();
    let mut lines = document.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let inside: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { language, text: inside.join("\n") });
        }
    }
    blocks
}

/// A command, and what the document says that it answers: pieces of text, in this order.
#[derive(Debug)]
pub struct Exchange {
    pub command: String,
    pub answers: Vec<Piece>,
}

/// A piece of an answer. `...` may go on in the middle of a word; elsewhere a word ends where the document's does, so that
/// line 1 is not line 17.
#[derive(Debug)]
pub struct Piece {
    text: String,
    goes_on: bool,
}

/// What is said in a block, where commands stand behind `prompt`.
pub fn exchanges(text: &str, prompt: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(prompt), exchanges.last_mut()) {
            (Some(command), _) => {
                exchanges.push(Exchange { command: command.to_owned(), answers: Vec::new() });
            }
            (None, Some(exchange)) => exchange.answers.extend(pieces(line)),
            (None, None) => panic!("an answer without a command: {line}"),
        }
    }
    exchanges
}

/// A line's pieces, without those that say nothing.
fn pieces(line: &str) -> impl Iterator<Item = Piece> {
    let parts = line.split_inclusive("...").map(|part| match part.strip_suffix("...") {
        Some(before) => Piece { text: words(before), goes_on: true },
        None => Piece { text: words(part), goes_on: false },
    });
    parts.filter(|piece| !piece.text.is_empty())
}

/// Text with single spaces only: lines may be broken elsewhere.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Piece {
    /// What stands behind the piece in a text that has it.
    fn behind<'a>(&self, text: &'a str) -> Option<&'a str> {
        let ends = text.match_indices(&self.text).map(|(begin, found)| begin + found.len());
        let mut behind = ends.map(|end| &text[end..]);
        behind.find(|rest| self.goes_on || !(self.ends_in_word() && rest.starts_with(is_of_word)))
    }

    fn ends_in_word(&self) -> bool {
        self.text.ends_with(is_of_word)
    }
}

fn is_of_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

impl Exchange {
    /// Panics unless `answer` has all pieces, in their order.
    pub fn assert_answered_by(&self, answer: &str) {
        let answer = words(answer);
        let mut rest = answer.as_str();
        for piece in &self.answers {
            let Some(behind) = piece.behind(rest) else {
                panic!("after {}: {piece:?} is not in {rest:?} of {answer:?}", self.command)
            };
            rest = behind;
        }
    }
}

#[test]
fn a_line_is_not_another_one_that_begins_with_it() {
    let said = |answer: &str, document: &str| {
        let exchanges = exchanges(&format!("$ command\n{document}"), "$ ");
        std::panic::catch_unwind(|| exchanges[0].assert_answered_by(answer)).is_ok()
    };
    assert!(said("at hits.c:21, then\n at hits.c:2", "at   hits.c:2"));
    assert!(!said("at hits.c:21, then", "at hits.c:2"));
    assert!(said("at hits.c:21, then", "at hits.c:2... then"));
    assert!(!said("then, at hits.c:21", "at hits.c:21 ... then"));
}
