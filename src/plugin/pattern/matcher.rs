//! Matches one Lua pattern against one text, counting steps.

use super::super::sandbox::Steps;

/// How deep a match may recurse.
const DEPTH_MAX: usize = 200;
/// How many captures a pattern may have.
const CAPTURES_MAX: usize = 32;
/// How many steps of Lua a step of a match counts for.
const STEP_COST: u64 = 8;
/// After how many steps the limit is looked at.
const STEPS_BETWEEN: u64 = 1024;

/// Where a pattern matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Match {
    pub(super) start: usize,
    pub(super) end: usize,
    /// The start and end of each capture; no end for `()`, which captures a place.
    pub(super) captures: Vec<(usize, Option<usize>)>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Length {
    Open,
    Place,
    Closed(usize),
}

struct Matcher<'a> {
    text: &'a [u8],
    pattern: &'a [u8],
    steps: &'a Steps,
    taken: u64,
    depth: usize,
    captures: Vec<(usize, Length)>,
}

/// The first match of `pattern` in `text` from byte `init` on.
pub(super) fn find(text: &[u8], pattern: &[u8], init: usize, steps: &Steps) -> mlua::Result<Option<Match>> {
    let (is_anchored, pattern) = match pattern.strip_prefix(b"^") {
        Some(rest) => (true, rest),
        None => (false, pattern),
    };
    let mut matcher = Matcher {
        text,
        pattern,
        steps,
        taken: 0,
        depth: 0,
        captures: Vec::new(),
    };
    for start in init..=text.len() {
        matcher.captures.clear();
        if let Some(end) = matcher.run(start, 0)? {
            let captures = matcher.finished()?;
            return Ok(Some(Match { start, end, captures }));
        }
        if is_anchored {
            break;
        }
    }
    Ok(None)
}

impl Matcher<'_> {
    fn finished(&self) -> mlua::Result<Vec<(usize, Option<usize>)>> {
        let end = |(start, length): &(usize, Length)| match length {
            Length::Open => Err(wrong("unfinished capture")),
            Length::Place => Ok((*start, None)),
            Length::Closed(length) => Ok((*start, Some(start + length))),
        };
        self.captures.iter().map(end).collect()
    }

    fn step(&mut self) -> mlua::Result<()> {
        self.taken += 1;
        if self.taken.is_multiple_of(STEPS_BETWEEN) {
            self.steps.take(STEPS_BETWEEN * STEP_COST)?;
        }
        Ok(())
    }

    /// The end of the match of the pattern from `item` on at `place`; what fails leaves the captures as they were.
    fn run(&mut self, place: usize, item: usize) -> mlua::Result<Option<usize>> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(wrong("pattern too complex"));
        }
        let end = self.run_items(place, item);
        self.depth -= 1;
        end
    }

    fn run_items(&mut self, mut place: usize, mut item: usize) -> mlua::Result<Option<usize>> {
        loop {
            self.step()?;
            let next = self.pattern.get(item + 1).copied();
            match (self.pattern.get(item), next) {
                (None, _) => return Ok(Some(place)),
                (Some(b'('), Some(b')')) => return self.open(place, item + 2, Length::Place),
                (Some(b'('), _) => return self.open(place, item + 1, Length::Open),
                (Some(b')'), _) => return self.close(place, item + 1),
                (Some(b'$'), None) => return Ok((place == self.text.len()).then_some(place)),
                (Some(b'%'), Some(b'b')) => match self.balanced(place, item + 2)? {
                    Some(end) => (place, item) = (end, item + 4),
                    None => return Ok(None),
                },
                (Some(b'%'), Some(b'f')) => match self.frontier(place, item + 2)? {
                    Some(after) => item = after,
                    None => return Ok(None),
                },
                (Some(b'%'), Some(digit @ b'0'..=b'9')) => match self.same_again(place, digit)? {
                    Some(end) => (place, item) = (end, item + 2),
                    None => return Ok(None),
                },
                _ => {
                    let end = self.item_end(item)?;
                    match self.pattern.get(end) {
                        Some(b'*') => return self.longest(place, item, end, 0),
                        Some(b'+') => return self.longest(place, item, end, 1),
                        Some(b'-') => return self.shortest(place, item, end),
                        Some(b'?') => {
                            if self.is_match(place, item, end)
                                && let Some(found) = self.run(place + 1, end + 1)?
                            {
                                return Ok(Some(found));
                            }
                            item = end + 1;
                        }
                        _ if self.is_match(place, item, end) => (place, item) = (place + 1, end),
                        _ => return Ok(None),
                    }
                }
            }
        }
    }

    fn open(&mut self, place: usize, item: usize, length: Length) -> mlua::Result<Option<usize>> {
        if self.captures.len() >= CAPTURES_MAX {
            return Err(wrong("too many captures"));
        }
        self.captures.push((place, length));
        let end = self.run(place, item)?;
        if end.is_none() {
            self.captures.pop();
        }
        Ok(end)
    }

    fn close(&mut self, place: usize, item: usize) -> mlua::Result<Option<usize>> {
        let open = self
            .captures
            .iter()
            .rposition(|(_, length)| *length == Length::Open);
        let open = open.ok_or_else(|| wrong("invalid pattern capture"))?;
        self.captures[open].1 = Length::Closed(place - self.captures[open].0);
        let end = self.run(place, item)?;
        if end.is_none() {
            self.captures[open].1 = Length::Open;
        }
        Ok(end)
    }

    fn longest(
        &mut self,
        place: usize,
        item: usize,
        end: usize,
        least: usize,
    ) -> mlua::Result<Option<usize>> {
        let mut count = 0;
        while self.is_match(place + count, item, end) {
            self.step()?;
            count += 1;
        }
        while count >= least {
            if let Some(found) = self.run(place + count, end + 1)? {
                return Ok(Some(found));
            }
            let Some(fewer) = count.checked_sub(1) else { break };
            count = fewer;
        }
        Ok(None)
    }

    fn shortest(&mut self, mut place: usize, item: usize, end: usize) -> mlua::Result<Option<usize>> {
        loop {
            if let Some(found) = self.run(place, end + 1)? {
                return Ok(Some(found));
            }
            if !self.is_match(place, item, end) {
                return Ok(None);
            }
            place += 1;
        }
    }

    /// The place behind the text from `place` on that begins and ends with the two letters at `item`, balanced.
    fn balanced(&mut self, place: usize, item: usize) -> mlua::Result<Option<usize>> {
        let (Some(first), Some(last)) = (self.pattern.get(item), self.pattern.get(item + 1)) else {
            return Err(wrong("malformed pattern (missing arguments to '%b')"));
        };
        let (first, last) = (*first, *last);
        if self.text.get(place) != Some(&first) {
            return Ok(None);
        }
        let mut depth = 1;
        for end in place + 1..self.text.len() {
            self.step()?;
            if self.text[end] == last {
                depth -= 1;
                if depth == 0 {
                    return Ok(Some(end + 1));
                }
            } else if self.text[end] == first {
                depth += 1;
            }
        }
        Ok(None)
    }

    /// The item behind the set at `item`, if the text goes into that set at `place`.
    fn frontier(&self, place: usize, item: usize) -> mlua::Result<Option<usize>> {
        if self.pattern.get(item) != Some(&b'[') {
            return Err(wrong("missing '[' after '%f' in pattern"));
        }
        let end = self.item_end(item)?;
        let before = place.checked_sub(1).map_or(0, |before| self.text[before]);
        let behind = self.text.get(place).copied().unwrap_or(0);
        let goes_in = !self.in_set(before, item, end) && self.in_set(behind, item, end);
        Ok(goes_in.then_some(end))
    }

    /// The place behind the text of the capture `digit`, if that comes again at `place`.
    fn same_again(&self, place: usize, digit: u8) -> mlua::Result<Option<usize>> {
        let number = usize::from(digit).wrapping_sub(usize::from(b'1'));
        let Some((start, Length::Closed(length))) = self.captures.get(number).copied() else {
            return Err(wrong(&format!("invalid capture index %{}", char::from(digit))));
        };
        let captured = &self.text[start..start + length];
        Ok(self.text[place..].starts_with(captured).then_some(place + length))
    }

    /// The place in the pattern behind the single item at `item`.
    fn item_end(&self, item: usize) -> mlua::Result<usize> {
        match self.pattern.get(item) {
            Some(b'%') if item + 1 >= self.pattern.len() => Err(wrong("malformed pattern (ends with '%')")),
            Some(b'%') => Ok(item + 2),
            Some(b'[') => {
                let mut place = item + 1;
                if self.pattern.get(place) == Some(&b'^') {
                    place += 1;
                }
                // A `]` that comes first is a letter of the set.
                loop {
                    let letter = self.pattern.get(place);
                    let letter = letter.ok_or_else(|| wrong("malformed pattern (missing ']')"))?;
                    place += if *letter == b'%' { 2 } else { 1 };
                    if self.pattern.get(place) == Some(&b']') {
                        return Ok(place + 1);
                    }
                }
            }
            _ => Ok(item + 1),
        }
    }

    /// Whether the letter at `place` is one of the item from `item` to `end`.
    fn is_match(&self, place: usize, item: usize, end: usize) -> bool {
        let Some(letter) = self.text.get(place).copied() else {
            return false;
        };
        match self.pattern[item] {
            b'.' => true,
            b'%' => is_of_class(letter, self.pattern[item + 1]),
            b'[' => self.in_set(letter, item, end),
            own => own == letter,
        }
    }

    /// Whether `letter` is in the set from `item` to `end`, brackets included.
    fn in_set(&self, letter: u8, item: usize, end: usize) -> bool {
        let mut inside = &self.pattern[item + 1..end - 1];
        let is_complement = inside.first() == Some(&b'^');
        if is_complement {
            inside = &inside[1..];
        }
        let mut found = false;
        while let Some((first, rest)) = inside.split_first() {
            inside = match (first, rest) {
                (b'%', [class, rest @ ..]) => {
                    found |= is_of_class(letter, *class);
                    rest
                }
                (low, [b'-', high, rest @ ..]) => {
                    found |= (*low..=*high).contains(&letter);
                    rest
                }
                (own, rest) => {
                    found |= *own == letter;
                    rest
                }
            };
        }
        found != is_complement
    }
}

/// Whether `letter` is of the class `%class`; for what names no class, whether it is that letter.
fn is_of_class(letter: u8, class: u8) -> bool {
    let is_in = match class.to_ascii_lowercase() {
        b'a' => letter.is_ascii_alphabetic(),
        b'c' => letter.is_ascii_control(),
        b'd' => letter.is_ascii_digit(),
        b'g' => letter.is_ascii_graphic(),
        b'l' => letter.is_ascii_lowercase(),
        b'p' => letter.is_ascii_punctuation(),
        b's' => letter.is_ascii_whitespace() || letter == 0x0b,
        b'u' => letter.is_ascii_uppercase(),
        b'w' => letter.is_ascii_alphanumeric(),
        b'x' => letter.is_ascii_hexdigit(),
        _ => return class == letter,
    };
    is_in != class.is_ascii_uppercase()
}

fn wrong(text: &str) -> mlua::Error {
    mlua::Error::runtime(text)
}
