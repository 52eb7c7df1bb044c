//! Quoting for the languages that definitions are written in: POSIX shell, xl.cfg(5), and QEMU's option lists.

/// Stands in words for the runtime directory where only a script's own run will tell what it is; in scripts, `$run`.
pub(super) const RUNTIME: char = '\0';

/// A word for the shell: as it is where that is safe, else in single quotes.
pub(super) fn shell(word: &str) -> String {
    if word.contains(RUNTIME) {
        let part = |part: &str| {
            if part.is_empty() {
                String::new()
            } else {
                shell(part)
            }
        };
        return word.split(RUNTIME).map(part).collect::<Vec<_>>().join("\"$run\"");
    }
    let safe = |byte: u8| byte.is_ascii_alphanumeric() || b"_./:=,@%+-".contains(&byte);
    if !word.is_empty() && word.bytes().all(safe) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// A command for the shell, one word a line after the first.
pub(super) fn shell_command(words: &[String]) -> String {
    words
        .iter()
        .map(|word| shell(word))
        .collect::<Vec<_>>()
        .join(" \\\n    ")
}

/// A string of an xl configuration, with its quotes.
pub(super) fn xl(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', r"\\").replace('"', "\\\""))
}

/// A value in one of QEMU's option lists, where a comma is doubled.
pub(super) fn qemu(text: &str) -> String {
    text.replace(',', ",,")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_their_language() {
        for (word, for_shell, for_xl) in [
            ("a/b=c,d", "a/b=c,d", "\"a/b=c,d\""),
            ("", "''", "\"\""),
            ("a b", "'a b'", "\"a b\""),
            ("$x", "'$x'", "\"$x\""),
            ("it's", r"'it'\''s'", "\"it's\""),
            ("a\"b\\", r#"'a"b\'"#, r#""a\"b\\""#),
            ("~", "'~'", "\"~\""),
            ("uml_dir=\0/a b", "uml_dir=\"$run\"'/a b'", "\"uml_dir=\0/a b\""),
        ] {
            assert_eq!(shell(word), for_shell);
            assert_eq!(xl(word), for_xl);
        }
        assert_eq!(qemu("a,b"), "a,,b");
    }
}
