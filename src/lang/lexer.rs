//! Cuts a text into tokens, in the two ways that the grammar knows: words, and whole lines.

use std::sync::Arc;

use super::error::{ErrorList, SyntaxError, SyntaxErrorKind};
use super::token::{Token, TokenKind};
use crate::diag::{SourceId, Span};

/// The characters that end a word, and that a backslash protects.
pub(super) const SPECIAL: [char; 4] = [';', '{', '}', '#'];

/// What opens and closes a quoted text.
pub(super) const QUOTES: &str = "\"\"\"";

/// Reads tokens off the front of a text.
pub(super) struct Lexer<'a> {
    source: SourceId,
    text: &'a str,
    place: usize,
    /// Where the current line begins.
    line_start: usize,
    /// Whether only blanks were read of the current line.
    line_is_blank: bool,
    /// How many braces of shell text are open in the current block of lines.
    shell_depth: usize,
    /// Whether no line from here on begins with quotes.
    nothing_closes: bool,
    pub(super) errors: ErrorList,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(source: SourceId, text: &'a str) -> Self {
        let place = if text.starts_with('\u{feff}') {
            '\u{feff}'.len_utf8()
        } else {
            0
        };
        Self {
            source,
            text,
            place,
            line_start: place,
            line_is_blank: true,
            shell_depth: 0,
            nothing_closes: false,
            errors: ErrorList::default(),
        }
    }

    /// The next token where statements are made of words.
    pub(super) fn next_token(&mut self) -> Token {
        self.skip_blanks();
        let start = self.place;
        let Some(first) = self.peek() else {
            return self.token(TokenKind::End, start);
        };
        let kind = match first {
            '\n' => return self.newline(),
            '#' => return self.comment(),
            '"' if self.rest().starts_with(QUOTES) => return self.quoted(),
            ';' => TokenKind::Semicolon,
            '{' => TokenKind::Open,
            '}' => TokenKind::Close,
            _ => return self.word(),
        };
        self.line_is_blank = false;
        self.place += 1;
        self.token(kind, start)
    }

    /// The next token where lines are kept as they are.
    pub(super) fn next_line(&mut self) -> Token {
        self.skip_blanks();
        let start = self.place;
        match self.peek() {
            None => return self.token(TokenKind::End, start),
            Some('\n') => return self.newline(),
            Some('#') => return self.comment(),
            Some('}') if self.shell_depth == 0 => return self.next_token(),
            Some(_) => {}
        }
        let indentation = self.line_is_blank.then(|| self.span(self.line_start, start));
        self.line_is_blank = false;
        self.skip_shell_text();
        let end = start + self.text[start..self.place].trim_end().len();
        self.check_control_characters(start, end);
        Token {
            kind: TokenKind::Line { indentation },
            span: self.span(start, end),
        }
    }

    /// Begins a block of lines: no brace of its text is open.
    pub(super) fn begin_lines(&mut self) {
        self.shell_depth = 0;
    }

    /// Moves to the end of the line, to a comment, or to the brace that closes the block.
    fn skip_shell_text(&mut self) {
        let mut after_blank = false;
        while let Some(letter) = self.peek() {
            match letter {
                '\n' => return,
                '#' if after_blank => return,
                '}' if self.shell_depth == 0 => return,
                '}' => self.shell_depth -= 1,
                '{' => self.shell_depth += 1,
                '\\' if !self.rest()[1..].starts_with('\n') => self.place += 1,
                '\'' | '"' => self.place += self.quoted_length(letter),
                _ => {}
            }
            after_blank = letter.is_whitespace();
            if let Some(letter) = self.peek() {
                self.place += letter.len_utf8();
            }
        }
    }

    /// The distance to the `quote` that closes the one here; 0 if it is not closed on this line.
    fn quoted_length(&self, quote: char) -> usize {
        let mut escaped = false;
        for (distance, letter) in self.rest().char_indices().skip(1) {
            match letter {
                '\n' => return 0,
                _ if escaped => escaped = false,
                '\\' if quote == '"' => escaped = true,
                _ if letter == quote => return distance,
                _ => {}
            }
        }
        0
    }

    /// A quoted text: on one line, or the lines up to one that begins with quotes.
    fn quoted(&mut self) -> Token {
        let start = self.place;
        self.line_is_blank = false;
        let begin = start + QUOTES.len();
        let rest = &self.text[begin..];
        let is_end = |letter: char| letter == '\n' || !letter.is_whitespace();
        let found = match rest.find(is_end).map(|place| (place, rest.as_bytes()[place])) {
            Some((place, b'\n')) => self.verbatim_lines(begin + place),
            // The end is looked for no further than it is, so that many texts on a line cost no more than one.
            _ => (0..rest.len())
                .take_while(|place| rest.as_bytes()[*place] != b'\n')
                .find(|place| rest.as_bytes()[*place..].starts_with(QUOTES.as_bytes()))
                .map(|end| {
                    self.place = begin + end + QUOTES.len();
                    self.check_control_characters(begin, begin + end);
                    TokenKind::Quoted(Arc::from(&self.text[begin..begin + end]))
                }),
        };
        let Some(kind) = found else {
            self.error(SyntaxErrorKind::UnclosedQuotes, start, begin);
            self.place = rest.find('\n').map_or(self.text.len(), |end| begin + end);
            let word = Arc::from(self.text[start..self.place].trim_end());
            return self.token(TokenKind::Word(word), start);
        };
        self.token(kind, start)
    }

    /// The lines from the end of the current line, at `line_end`, to one that begins with quotes, if there is one.
    fn verbatim_lines(&mut self, line_end: usize) -> Option<TokenKind> {
        if self.nothing_closes {
            return None;
        }
        let mut lines = Vec::new();
        let mut start = line_end + 1;
        for line in self.text.get(start..)?.split_inclusive('\n') {
            let text = line.trim_start();
            if text.starts_with(QUOTES) {
                self.place = start + (line.len() - text.len()) + QUOTES.len();
                self.line_start = start;
                return Some(TokenKind::Verbatim(lines));
            }
            let end = start + line.trim_end().len();
            self.check_control_characters(start, end);
            lines.push(self.span(start, end));
            start += line.len();
        }
        // Nor will anything close what opens later.
        self.nothing_closes = true;
        None
    }

    fn newline(&mut self) -> Token {
        let start = self.place;
        self.place += 1;
        self.line_start = self.place;
        self.line_is_blank = true;
        self.token(TokenKind::Newline, start)
    }

    /// A comment, or an include directive.
    fn comment(&mut self) -> Token {
        let start = self.place;
        let line_length = self.rest().find('\n').unwrap_or(self.rest().len());
        let line = self.rest()[..line_length].trim_end();
        let end = start + line.len();
        let glued = self.text[..start]
            .chars()
            .next_back()
            .is_some_and(|before| !before.is_whitespace() && !['{', '}', ';', '\u{feff}'].contains(&before));
        if glued {
            self.error(SyntaxErrorKind::GluedComment, start, start + 1);
        }
        let path = if self.line_is_blank {
            include_path(line)
        } else {
            None
        };
        self.line_is_blank = false;
        self.check_control_characters(start, end);
        let Some((path_start, path_end)) = path else {
            self.place = end;
            return self.token(TokenKind::Comment, start);
        };
        self.place = start + path_end;
        let path = self.span(start + path_start, start + path_end);
        self.token(TokenKind::Include(path), start)
    }

    fn word(&mut self) -> Token {
        let start = self.place;
        let mut unescaped: Option<String> = None;
        while let Some(letter) = self.peek() {
            if letter.is_whitespace() || SPECIAL.contains(&letter) {
                break;
            }
            let escaped = self.rest()[letter.len_utf8()..]
                .chars()
                .next()
                .filter(|next| letter == '\\' && (SPECIAL.contains(next) || *next == '\\'));
            if escaped.is_some() && unescaped.is_none() {
                unescaped = Some(self.text[start..self.place].to_owned());
            }
            if let Some(text) = &mut unescaped {
                text.push(escaped.unwrap_or(letter));
            }
            self.place += letter.len_utf8() + escaped.map_or(0, char::len_utf8);
        }
        self.line_is_blank = false;
        self.check_control_characters(start, self.place);
        let text = unescaped.map_or_else(|| Arc::from(&self.text[start..self.place]), Arc::from);
        self.token(TokenKind::Word(text), start)
    }

    fn check_control_characters(&mut self, start: usize, end: usize) {
        let found = self.text[start..end]
            .char_indices()
            .find(|(_, letter)| letter.is_control() && *letter != '\t');
        if let Some((distance, letter)) = found {
            let place = start + distance;
            let code = u32::from(letter);
            self.error(
                SyntaxErrorKind::ControlCharacter { code },
                place,
                place + letter.len_utf8(),
            );
        }
    }

    fn skip_blanks(&mut self) {
        let blanks = self
            .rest()
            .find(|letter: char| letter == '\n' || !letter.is_whitespace())
            .unwrap_or(self.rest().len());
        self.place += blanks;
    }

    fn rest(&self) -> &'a str {
        &self.text[self.place..]
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn span(&self, start: usize, end: usize) -> Span {
        Span::new(self.source, start, end)
    }

    fn token(&self, kind: TokenKind, start: usize) -> Token {
        Token {
            kind,
            span: self.span(start, self.place),
        }
    }

    fn error(&mut self, kind: SyntaxErrorKind, start: usize, end: usize) {
        let span = self.span(start, end);
        self.errors.push(SyntaxError { kind, span });
    }
}

/// Where in the comment `line` the path of an include directive stands, if it is one.
fn include_path(line: &str) -> Option<(usize, usize)> {
    let after = line.strip_prefix("#include")?;
    let path = after.trim_start();
    if path.len() == after.len() || path.is_empty() {
        return None;
    }
    let start = line.len() - path.len();
    let mut before = ' ';
    for (distance, letter) in path.char_indices() {
        if letter == '#' && before.is_whitespace() {
            let kept = path[..distance].trim_end();
            return (!kept.is_empty()).then(|| (start, start + kept.len()));
        }
        before = letter;
    }
    Some((start, line.len()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diag::SourceMap;

    /// The tokens of `text` as short words.
    fn cut(text: &str, lines: bool) -> Vec<String> {
        let mut map = SourceMap::new();
        let id = map.add("a", text, None);
        let mut lexer = Lexer::new(id, text);
        let mut shown = Vec::new();
        loop {
            let token = if lines {
                lexer.next_line()
            } else {
                lexer.next_token()
            };
            shown.push(match token.kind {
                TokenKind::End => return shown,
                TokenKind::Word(word) => word.to_string(),
                TokenKind::Newline => "/".to_owned(),
                TokenKind::Quoted(text) => format!("<<{text}>>"),
                TokenKind::Verbatim(lines) => format!("<<{} lines>>", lines.len()),
                TokenKind::Include(path) => format!("<{}>", map.text(path)),
                TokenKind::Line { .. } => format!("[{}]", map.text(token.span)),
                _ => map.text(token.span).to_owned(),
            });
        }
    }

    #[test]
    fn words_end_at_blanks_and_special_characters() {
        for (text, tokens) in [
            ("a  b\tc", "a b c"),
            ("host c{x}", "host c { x }"),
            ("a;b\n", "a ; b /"),
            ("a # b;{", "a # b;{"),
            (r"a\;b \{ \# \\ \x \", r"a;b { # \ \x \"),
            ("#include x y # z", "<x y> # z"),
            ("a #include x", "a #include x"),
            ("#includes x", "#includes x"),
            ("#include", "#include"),
            ("\u{feff}a\r\nb", "a / b"),
            ("a \"\"\"b; {c} # d\"\"\" e", "a <<b; {c} # d>> e"),
            ("a \"\"\"\n } # b\n\n  \"\"\" c", "a <<2 lines>> c"),
            ("a \"b # c\"", "a \"b # c\""),
            ("a\"\"\"b\"\"\"", "a\"\"\"b\"\"\""),
        ] {
            assert_eq!(cut(text, false).join(" "), tokens, "{text:?}");
        }
    }

    #[test]
    fn lines_keep_their_braces_quotes_and_semicolons() {
        for (text, tokens) in [
            ("a; b # c\n", "[a; b] # c /"),
            ("awk '{print $1}' f }", "[awk '{print $1}' f] }"),
            ("f() {\n x\n}\n}", "[f() {] / [x] / [}] / }"),
            ("find -exec rm {} \\; }", "[find -exec rm {} \\;] }"),
            ("echo '}' \"}\\\"}\" \\} }", "[echo '}' \"}\\\"}\" \\}] }"),
            ("echo it's }", "[echo it's] }"),
            ("a#b ${#c} $# }", "[a#b ${#c} $#] }"),
            ("echo 'a # b' # c", "[echo 'a # b'] # c"),
            ("#include x", "<x>"),
            ("a \\\nb", "[a \\] / [b]"),
        ] {
            assert_eq!(cut(text, true).join(" "), tokens, "{text:?}");
        }
    }
}
