//! Extended headers of tar archives (<https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html>): records of
//! `length key=value`. Values may hold any byte, line ends too.

use crate::base::Timestamp;

/// The beginning of keys that stand for extended attributes.
const XATTR: &[u8] = b"SCHILY.xattr.";

/// What the records before an entry say about it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Extended {
    pub(super) path: Option<Vec<u8>>,
    pub(super) link_path: Option<Vec<u8>>,
    pub(super) size: Option<u64>,
    pub(super) uid: Option<u64>,
    pub(super) gid: Option<u64>,
    pub(super) mtime: Option<Timestamp>,
    pub(super) xattrs: Vec<(Vec<u8>, Vec<u8>)>,
    /// The records of sparse files, by what follows `GNU.sparse.` in their keys.
    pub(super) sparse: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Extended {
    /// Takes the records in `bytes`; `None` if they are not well formed.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Option<()> {
        while !bytes.is_empty() && bytes.iter().any(|byte| *byte != 0) {
            let space = bytes.iter().position(|byte| *byte == b' ')?;
            let len: usize = text(bytes.get(..space)?)?.parse().ok()?;
            let record = bytes.get(space + 1..len)?.strip_suffix(b"\n")?;
            bytes = bytes.get(len..)?;
            let equals = record.iter().position(|byte| *byte == b'=')?;
            self.take(record.get(..equals)?, record.get(equals + 1..)?)?;
        }
        Some(())
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        let number = || text(value).and_then(|text| text.parse().ok());
        match key {
            b"path" => self.path = Some(value.to_vec()),
            b"linkpath" => self.link_path = Some(value.to_vec()),
            b"size" => self.size = Some(number()?),
            b"uid" => self.uid = Some(number()?),
            b"gid" => self.gid = Some(number()?),
            b"mtime" => self.mtime = Some(time(value)?),
            _ => {
                if let Some(name) = key.strip_prefix(XATTR) {
                    self.xattrs.push((name.to_vec(), value.to_vec()));
                } else if let Some(name) = key.strip_prefix(b"GNU.sparse.") {
                    self.sparse.push((name.to_vec(), value.to_vec()));
                }
            }
        }
        Some(())
    }

    /// The record of a sparse file called `key`.
    pub(super) fn sparse(&self, key: &str) -> Option<&[u8]> {
        let found = self.sparse.iter().find(|(name, _)| name == key.as_bytes());
        found.map(|(_, value)| value.as_slice())
    }
}

/// A moment in decimal seconds with a fraction.
fn time(value: &[u8]) -> Option<Timestamp> {
    let text = text(value)?;
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let seconds: i64 = whole.parse().ok()?;
    let mut digits: String = fraction.chars().take(9).collect();
    while digits.len() < 9 {
        digits.push('0');
    }
    let nanoseconds: u32 = digits.parse().ok()?;
    if !whole.starts_with('-') || nanoseconds == 0 {
        return Some(Timestamp { seconds, nanoseconds });
    }
    // Half a second before the epoch is half a second after the second before it.
    Some(Timestamp {
        seconds: seconds.checked_sub(1)?,
        nanoseconds: 1_000_000_000 - nanoseconds,
    })
}

fn text(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_may_hold_line_ends() {
        let mut extended = Extended::default();
        let record = b"31 SCHILY.xattr.user.a=1\n2=3\n\n\n22 mtime=-1.500000000\n";
        extended.read(record).unwrap();
        assert_eq!(extended.xattrs, [(b"user.a".to_vec(), b"1\n2=3\n\n".to_vec())]);
        let before = Timestamp {
            seconds: -2,
            nanoseconds: 500_000_000,
        };
        assert_eq!(extended.mtime, Some(before));
    }

    #[test]
    fn records_that_are_none_are_refused() {
        for bytes in [
            &b"5 a=b"[..],
            b"x a=b\n",
            b"99999999999999999999 a=b\n",
            b"3 a\n",
            b"0 a=b\n",
            b"10 size=x\n",
        ] {
            assert_eq!(Extended::default().read(bytes), None, "{bytes:?}");
        }
    }
}
