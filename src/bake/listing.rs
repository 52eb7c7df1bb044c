//! Long JSON documents, written piece by piece: an object whose list `hosts` never lies in memory whole.

use std::io::{self, Write};

use serde::Serialize;

/// The empty list in the frame. In JSON a line break can only stand between values, so that this is found nowhere else.
const EMPTY: &str = "\n  \"hosts\": []";

/// Writes the frame and the elements of its list as `serde_json` would write the whole.
pub(super) struct Listing<W: Write> {
    out: W,
    rest: String,
    is_empty: bool,
}

impl<W: Write> Listing<W> {
    /// Begins the document of `frame`, an object with a field `hosts` that is an empty list.
    pub(super) fn begin(mut out: W, frame: &impl Serialize) -> io::Result<Self> {
        let text = serde_json::to_string_pretty(frame)?;
        let (head, rest) = text.split_once(EMPTY).ok_or(io::ErrorKind::InvalidInput)?;
        write!(out, "{head}\n  \"hosts\": [")?;
        Ok(Self {
            out,
            rest: rest.to_owned(),
            is_empty: true,
        })
    }

    /// Adds an element whose text is `pretty`.
    pub(super) fn push(&mut self, pretty: &[u8]) -> io::Result<()> {
        let before: &[u8] = if self.is_empty { b"\n    " } else { b",\n    " };
        self.is_empty = false;
        self.out.write_all(before)?;
        for (number, line) in pretty.split(|byte| *byte == b'\n').enumerate() {
            if number > 0 {
                self.out.write_all(b"\n    ")?;
            }
            self.out.write_all(line)?;
        }
        Ok(())
    }

    /// Ends the document.
    pub(super) fn finish(mut self) -> io::Result<()> {
        let end = if self.is_empty { "]" } else { "\n  ]" };
        writeln!(self.out, "{end}{}", self.rest)?;
        self.out.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[test]
    fn the_pieces_are_the_whole() {
        for count in 0..3 {
            let hosts: Vec<Value> = (0..count)
                .map(|number| json!({"name": format!("a\n\"hosts\": []{number}"), "list": [1, {"deep": []}]}))
                .collect();
            let whole = json!({"format": 2, "hosts": hosts, "files": [{"file": "x"}]});
            let mut pieces = Vec::new();
            let frame = json!({"format": 2, "hosts": [], "files": [{"file": "x"}]});
            let mut listing = Listing::begin(&mut pieces, &frame).unwrap();
            for host in &hosts {
                listing.push(&serde_json::to_vec_pretty(host).unwrap()).unwrap();
            }
            listing.finish().unwrap();
            assert_eq!(String::from_utf8(pieces).unwrap(), format!("{whole:#}\n"));
        }
    }
}
