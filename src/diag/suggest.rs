//! The known name that a misspelt one most likely meant.

/// The name among `known` nearest to `name`, if one is near enough to be meant.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // One slip for every three letters: more would suggest names that only share a length.
    let slips_max = name.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(slips, candidate)| *slips <= slips_max && *slips < candidate.chars().count())
        .min()
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn near_names_are_found_and_far_ones_are_not() {
        let known = ["memory", "template", "size", "swap"];
        for (name, expected) in [
            ("memroy", Some("memory")),
            ("Template", Some("template")),
            ("sizes", Some("size")),
            ("x", None),
            ("kernel", None),
        ] {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
