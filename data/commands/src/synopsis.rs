//! The manual's notation of a command's words, read as data: arity comes from it, and so do the arguments in COMMAND DOCS.

/// The least number of words that `synopsis` asks for, and whether more may follow.
pub fn required_words(synopsis: &str) -> (usize, bool) {
    let tokens: Vec<&str> = tokens(synopsis);
    let mut at = 0;
    let (required, open) = alternatives(&tokens, &mut at);
    (required, open)
}

/// Brackets, bars and ellipses stand alone, whatever the spacing.
pub(crate) fn tokens(synopsis: &str) -> Vec<&str> {
    let mut found = Vec::new();
    let mut start = None;
    for (at, byte) in synopsis.bytes().enumerate() {
        let is_mark = matches!(byte, b'[' | b']' | b'<' | b'>' | b'|');
        if is_mark || byte == b' ' {
            if let Some(from) = start.take() {
                found.push(&synopsis[from..at]);
            }
            if is_mark {
                found.push(&synopsis[at..at + 1]);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(from) = start {
        found.push(&synopsis[from..]);
    }
    found
}

/// Alternatives up to a closing bracket: the shortest counts; they are open-ended unless all have one length.
fn alternatives(tokens: &[&str], at: &mut usize) -> (usize, bool) {
    let (mut shortest, mut open) = sequence(tokens, at);
    while tokens.get(*at) == Some(&"|") {
        *at += 1;
        let (words, is_open) = sequence(tokens, at);
        open |= is_open || words != shortest;
        shortest = shortest.min(words);
    }
    (shortest, open)
}

fn sequence(tokens: &[&str], at: &mut usize) -> (usize, bool) {
    let (mut words, mut open) = (0, false);
    while let Some(&token) = tokens.get(*at) {
        match token {
            "]" | ">" | "|" => break,
            "[" => {
                *at += 1;
                alternatives(tokens, at);
                *at += 1;
                open = true;
            }
            "<" => {
                *at += 1;
                let (inner, is_open) = alternatives(tokens, at);
                *at += 1;
                words += inner;
                open |= is_open;
            }
            "..." => {
                *at += 1;
                open = true;
            }
            _ => {
                *at += 1;
                words += 1;
            }
        }
    }
    (words, open)
}

#[cfg(test)]
mod tests {
    use super::required_words;

    #[test]
    fn required_words_are_those_outside_square_brackets() {
        assert_eq!(required_words(""), (0, false));
        assert_eq!(required_words("key"), (1, false));
        assert_eq!(required_words("key value [NX | XX] [GET]"), (2, true));
        assert_eq!(required_words("source destination <LEFT | RIGHT> <LEFT | RIGHT> timeout"), (5, false));
        assert_eq!(required_words("key <BYRADIUS radius <m | km> | BYBOX width height <m | km>>"), (4, true));
        assert_eq!(required_words("numkeys key [key ...] [LIMIT limit]"), (2, true));
    }
}
