//! Sizes with MLN's units.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, written with MLN's units.
///
/// `b` is 512; `kB`, `KB`, `MB`, `GB` and `TB` are powers of 1000; `K`, `M`, `G` and `T` powers of 1024; a bare
/// number is bytes. Whole numbers only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize)]
pub struct ByteSize(pub u64);

/// Says why a text is not a size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SizeError {
    /// The text does not begin with a digit.
    #[error("`{0}` does not begin with a number")]
    NoNumber(String),
    /// What follows the number is not a unit.
    #[error("`{unit}` is not a unit of size")]
    UnknownUnit {
        /// What followed the number.
        unit: String,
    },
    /// The size does not fit 64 bits.
    #[error("`{0}` is larger than any disk")]
    TooLarge(String),
}

/// Every unit with the number of bytes it stands for.
const UNITS: [(&str, u64); 11] = [
    ("b", 512),
    ("kB", 1000),
    ("KB", 1000),
    ("K", 1 << 10),
    ("MB", 1_000_000),
    ("M", 1 << 20),
    ("GB", 1_000_000_000),
    ("G", 1 << 30),
    ("TB", 1_000_000_000_000),
    ("T", 1 << 40),
    ("", 1),
];

impl FromStr for ByteSize {
    type Err = SizeError;

    fn from_str(text: &str) -> Result<Self, SizeError> {
        let digits = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let (number, unit) = text.split_at(digits);
        if number.is_empty() {
            return Err(SizeError::NoNumber(text.to_owned()));
        }
        let unit = unit.trim_start();
        let (_, factor) =
            UNITS
                .iter()
                .find(|(name, _)| *name == unit)
                .ok_or_else(|| SizeError::UnknownUnit {
                    unit: unit.to_owned(),
                })?;
        let number: u64 = number.parse().map_err(|_| SizeError::TooLarge(text.to_owned()))?;
        number
            .checked_mul(*factor)
            .map(ByteSize)
            .ok_or_else(|| SizeError::TooLarge(text.to_owned()))
    }
}

impl fmt::Display for ByteSize {
    /// Writes the largest binary unit that divides the size, so that the text parses back to the same size.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, factor) in [("T", 1 << 40), ("G", 1 << 30), ("M", 1 << 20), ("K", 1_u64 << 10)] {
            if self.0 >= factor && self.0.is_multiple_of(factor) {
                return write!(formatter, "{}{name}", self.0 / factor);
            }
        }
        write!(formatter, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_original_is_read() {
        for (text, bytes) in [
            ("7", 7),
            ("2b", 1024),
            ("1kB", 1000),
            ("1KB", 1000),
            ("1K", 1024),
            ("3MB", 3_000_000),
            ("128M", 128 << 20),
            ("2GB", 2_000_000_000),
            ("2G", 2 << 30),
            ("0M", 0),
            ("1 G", 1 << 30),
        ] {
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_says_why() {
        assert_eq!("G".parse::<ByteSize>(), Err(SizeError::NoNumber("G".into())));
        assert_eq!(
            "1.5G".parse::<ByteSize>(),
            Err(SizeError::UnknownUnit { unit: ".5G".into() })
        );
        assert_eq!(
            "2g".parse::<ByteSize>(),
            Err(SizeError::UnknownUnit { unit: "g".into() })
        );
        assert_eq!(
            "99999999999G".parse::<ByteSize>(),
            Err(SizeError::TooLarge("99999999999G".into()))
        );
    }

    #[test]
    fn display_parses_back() {
        for bytes in [0, 1, 1000, 1024, 3 << 20, (2 << 30) + 512] {
            assert_eq!(ByteSize(bytes).to_string().parse(), Ok(ByteSize(bytes)));
        }
        assert_eq!(ByteSize(2 << 30).to_string(), "2G");
    }
}
