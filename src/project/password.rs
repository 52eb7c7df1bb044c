//! Passwords as a project has them: hashes in the forms of crypt(5), or a plain one that is hashed when it is used.

use super::model::Password;
use super::problem::Problem;
use super::section::Entry;
use super::values::Values;
use crate::diag::without_secret;
use crate::lang::Word;

/// What stands before a password that is written out.
pub const PLAIN: &str = "plain:";

impl Values<'_> {
    /// The password that a keyword gives.
    pub(super) fn password(&mut self, entry: &Entry) -> Option<Password> {
        let word = self.first_word(entry)?;
        if word.text.starts_with(PLAIN) {
            // The rest of the line belongs to the password, blanks too.
            return self.plain(&entry.value_text(), word);
        }
        self.word(entry)?;
        self.hash(word)
    }

    /// A password as one word: `plain:TEXT`, or a hash; `None` if it would damage the guest's password file.
    pub(super) fn hash(&mut self, word: &Word) -> Option<Password> {
        if word.text.starts_with(PLAIN) {
            return self.plain(&word.text, word);
        }
        if word.text.contains(':') {
            self.bad_word(word, "a password hash: it has a colon");
            return None;
        }
        if !is_crypt_hash(&word.text) {
            let hash = word.text.to_string();
            self.report(Problem::UnrecognisedHash { hash }, word.span);
        }
        Some(Password::Hash(word.text.to_string()))
    }

    fn plain(&mut self, text: &str, word: &Word) -> Option<Password> {
        let password = text.strip_prefix(PLAIN).unwrap_or(text);
        if password.is_empty() {
            self.bad_word(word, "a password: nothing follows `plain:`");
            return None;
        }
        Some(Password::Plain(password.to_owned()))
    }

    fn first_word<'e>(&mut self, entry: &'e Entry) -> Option<&'e Word> {
        let first = entry.value()?.first();
        if first.is_none() {
            self.missing(entry);
        }
        first
    }
}

/// `text` without the password that it spells out; `None` where it spells out none.
pub(super) fn hidden(text: &str) -> Option<String> {
    without_secret(text, PLAIN)
}

/// Whether a project's text spells out a password.
pub fn has_plain_password(text: &str) -> bool {
    text.lines().any(|line| hidden(line).is_some())
}

/// Whether some `crypt` makes hashes of this form, or the text locks the password.
pub(super) fn is_crypt_hash(hash: &str) -> bool {
    let is_salted = |text: &str| {
        text.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
    };
    if hash.starts_with(['!', '*']) {
        return true;
    }
    if let Some(rest) = hash.strip_prefix('$') {
        const METHODS: [&str; 11] = ["1", "2a", "2b", "2x", "2y", "5", "6", "7", "y", "gy", "sha1"];
        let Some((method, rest)) = rest.split_once('$') else {
            return false;
        };
        let digest = rest.rsplit('$').next().unwrap_or_default();
        return METHODS.contains(&method) && digest.len() >= 22 && is_salted(digest);
    }
    match hash.strip_prefix('_') {
        Some(extended) => extended.len() == 19 && is_salted(extended),
        None => hash.len() == 13 && is_salted(hash),
    }
}

#[cfg(test)]
mod tests {
    use super::is_crypt_hash;

    #[test]
    fn hashes_are_known_by_their_form() {
        for hash in [
            "ab1hNVqcoNh2A",
            "_J9..rasmBYk8r9AiWNc",
            "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
            "$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4XMS130MTSuDDl3aCI6WouIL9AjRbLCelDCy.g.",
            "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
            "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
            "!",
            "*",
            "!$6$x$y",
        ] {
            assert!(is_crypt_hash(hash), "{hash}");
        }
        for hash in [
            "",
            "x",
            "password",
            "k3fjQ09xZr1a",
            "$9$abc$def",
            "$6$",
            "$6$salt$short",
            "ab1hNVqcoNh2:",
        ] {
            assert!(!is_crypt_hash(hash), "{hash}");
        }
    }
}
