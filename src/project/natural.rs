//! Natural order: `node2` before `node10`.

use std::cmp::Ordering;

/// Compares two names, runs of digits as numbers.
pub fn compare(one: &str, other: &str) -> Ordering {
    let (mut left, mut right) = (one.as_bytes(), other.as_bytes());
    loop {
        let (Some(first), Some(second)) = (left.first(), right.first()) else {
            // Equal as numbers, such as `01` and `1`: any fixed order will do.
            return left.len().cmp(&right.len()).then_with(|| one.cmp(other));
        };
        if first.is_ascii_digit() && second.is_ascii_digit() {
            let (number, left_rest) = split_number(left);
            let (other_number, right_rest) = split_number(right);
            let order = number
                .len()
                .cmp(&other_number.len())
                .then_with(|| number.cmp(other_number));
            if order != Ordering::Equal {
                return order;
            }
            (left, right) = (left_rest, right_rest);
            continue;
        }
        if first != second {
            return first.cmp(second);
        }
        (left, right) = (&left[1..], &right[1..]);
    }
}

/// The digits at the front of `text` without leading zeros, and what follows them.
fn split_number(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text
        .iter()
        .position(|byte| !byte.is_ascii_digit())
        .unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    let zeros = digits
        .iter()
        .position(|byte| *byte != b'0')
        .unwrap_or(digits.len());
    (&digits[zeros..], rest)
}

#[cfg(test)]
mod tests {
    use super::compare;

    #[test]
    fn numbers_inside_names_count_as_numbers() {
        let mut names = vec![
            "node10", "node2", "db", "node01", "node1", "node", "node2b", "www", "9", "10",
        ];
        names.sort_by(|one, other| compare(one, other));
        assert_eq!(
            names,
            [
                "9", "10", "db", "node", "node01", "node1", "node2", "node2b", "node10", "www"
            ]
        );
    }
}
