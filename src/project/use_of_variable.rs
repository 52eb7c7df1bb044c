//! Finds the uses of variables in a text: `$name` as a word of its own, `$[name]` anywhere.

/// How words are told apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    /// The text is one word.
    Word,
    /// The text is a shell line.
    Line,
}

/// A variable found in a text.
pub(super) struct Found<'t> {
    /// The name without its dollar sign.
    pub(super) name: &'t str,
    /// One past its last byte.
    pub(super) end: usize,
    /// Whether it is a plain `$name` with other characters around.
    pub(super) is_inside_word: bool,
}

/// The variable whose dollar sign is at byte `start` of `text`.
pub(super) fn variable_at(text: &str, start: usize, style: Style) -> Option<Found<'_>> {
    let after = &text[start + 1..];
    let (body, brackets) = match after.strip_prefix('[') {
        Some(body) => (body, 2),
        None => (after, 0),
    };
    let length = body
        .bytes()
        .take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
        .count();
    let name = &body[..length];
    if name.is_empty() || (brackets > 0 && !body[length..].starts_with(']')) {
        return None;
    }
    let end = start + 1 + brackets + length;
    let stands_alone = |letter: Option<char>| match (letter, style) {
        (None, _) => true,
        (Some(_), Style::Word) => false,
        (Some(letter), Style::Line) => letter.is_whitespace() || [';', '|', '&', '(', ')'].contains(&letter),
    };
    let before = text[..start].chars().next_back();
    let behind = text[end..].chars().next();
    Some(Found {
        name,
        end,
        is_inside_word: brackets == 0 && !(stands_alone(before) && stands_alone(behind)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_names_stand_alone_and_bracketed_ones_anywhere() {
        use Style::{Line, Word};
        for (text, style, expected) in [
            ("$a", Word, Some(("a", false))),
            ("$a_1", Word, Some(("a_1", false))),
            ("$a.b", Word, Some(("a", true))),
            ("x$a", Word, Some(("a", true))),
            ("x$[a]M", Word, Some(("a", false))),
            ("$[a", Word, None),
            ("$[]", Word, None),
            ("$", Word, None),
            ("$(a)", Line, None),
            ("${a}", Line, None),
            ("echo $a; x", Line, Some(("a", false))),
            ("(echo $a)", Line, Some(("a", false))),
            ("echo \"$a\"", Line, Some(("a", true))),
        ] {
            let start = text.find('$').unwrap();
            let found = variable_at(text, start, style).map(|found| (found.name, found.is_inside_word));
            assert_eq!(found, expected, "{text}");
        }
    }
}
