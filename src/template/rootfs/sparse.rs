//! Sparse files in tar archives: GNU tar's own headers, and its records 0.1 and 1.0 in extended headers
//! (<https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html>).

use std::io::{self, Read};

use super::pax::Extended;

/// The most pieces that a file may have.
const PIECES_MAX: usize = 1 << 20;
/// The longest number in a map, with its line end.
const DIGITS_MAX: usize = 24;

/// A file's pieces, and its length.
pub(super) type SparseMap = (Vec<(u64, u64)>, u64);

/// The map in the extended header, if it has a sound one.
pub(super) fn in_header(extended: &Extended) -> Option<SparseMap> {
    let map = extended.sparse("map")?;
    let len = number(extended.sparse("size").or_else(|| extended.sparse("realsize"))?)?;
    let numbers: Option<Vec<u64>> = map
        .split(|byte| *byte == b',')
        .filter(|text| !text.is_empty())
        .map(number)
        .collect();
    checked(&numbers?, len)
}

/// Whether the map lies before the data, as in version 1.0.
pub(super) fn is_in_data(extended: &Extended) -> bool {
    extended.sparse("major") == Some(b"1") && extended.sparse("minor") == Some(b"0")
}

/// Reads the map before the data; `None` if it is none.
pub(super) fn from_data(data: &mut dyn Read, extended: &Extended) -> io::Result<Option<SparseMap>> {
    let mut lines = Lines { data, taken: 0 };
    let Some(count) = lines.next()?.and_then(|count| usize::try_from(count).ok()) else {
        return Ok(None);
    };
    if count > PIECES_MAX {
        return Ok(None);
    }
    let mut numbers = Vec::new();
    for _ in 0..count * 2 {
        match lines.next()? {
            Some(number) => numbers.push(number),
            None => return Ok(None),
        }
    }
    lines.finish()?;
    let len = extended.sparse("realsize").and_then(number);
    Ok(len.and_then(|len| checked(&numbers, len)))
}

/// The pieces that `numbers` name by offset and length, if they ascend and lie in the file.
pub(super) fn checked(numbers: &[u64], len_bytes: u64) -> Option<SparseMap> {
    let (pairs, rest) = numbers.as_chunks::<2>();
    if !rest.is_empty() || pairs.len() > PIECES_MAX {
        return None;
    }
    let mut end = 0;
    let mut pieces = Vec::with_capacity(pairs.len());
    for [offset, len] in pairs {
        if *offset < end {
            return None;
        }
        end = offset.checked_add(*len).filter(|end| *end <= len_bytes)?;
        pieces.push((*offset, *len));
    }
    Some((pieces, len_bytes))
}

/// Numbers of one line each.
struct Lines<'a> {
    data: &'a mut dyn Read,
    taken: u64,
}

impl Lines<'_> {
    fn byte(&mut self) -> io::Result<u8> {
        let mut byte = [0];
        self.data.read_exact(&mut byte)?;
        self.taken += 1;
        Ok(byte[0])
    }

    fn next(&mut self) -> io::Result<Option<u64>> {
        let mut digits = Vec::new();
        loop {
            match self.byte()? {
                b'\n' => return Ok(number(&digits)),
                _ if digits.len() > DIGITS_MAX => return Ok(None),
                digit => digits.push(digit),
            }
        }
    }

    /// Skips to the end of the block.
    fn finish(mut self) -> io::Result<()> {
        while !self.taken.is_multiple_of(512) {
            self.byte()?;
        }
        Ok(())
    }
}

fn number(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
