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
    pub answers: Vec<String>,
}

/// What is said in a block, where commands stand behind `prompt`.
pub fn exchanges(text: &str, prompt: &str) -> Vec<Exchange> {
    let mut exchanges: Vec<Exchange> = Vec::new();
    for line in text.lines() {
        match (line.strip_prefix(prompt), exchanges.last_mut()) {
            (Some(command), _) => {
                exchanges.push(Exchange { command: command.to_owned(), answers: Vec::new() });
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

impl Exchange {
    /// Panics unless `answer` has all pieces, in their order. Lines may be broken elsewhere.
    pub fn assert_answered_by(&self, answer: &str) {
        let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let answer = words(answer);
        let mut rest = answer.as_str();
        for piece in self.answers.iter().map(|piece| words(piece)) {
            let Some((_, behind)) = rest.split_once(&piece) else {
                panic!("after {}: {piece:?} is not in {rest:?} of {answer:?}", self.command)
            };
            rest = behind;
        }
    }
}
