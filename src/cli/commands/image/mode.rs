//! Modes as `chmod` takes them: octal, or by letters (<https://pubs.opengroup.org/onlinepubs/9699919799/utilities/chmod.html>).

use std::str::FromStr;

/// A change of the twelve permission bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ModeArg {
    /// These bits.
    Octal(u16),
    /// Changes, one after the other.
    Letters(Vec<Step>),
}

/// One change, such as `g-w`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The classes of users, as bits of the mode: 0700, 0070, 0007.
    who: u16,
    operator: char,
    letters: String,
}

const ALL: u16 = 0o777;

impl FromStr for ModeArg {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text.starts_with(|first: char| first.is_ascii_digit()) {
            return super::change::mode(text).map(Self::Octal);
        }
        let steps: Option<Vec<Vec<Step>>> = text.split(',').map(steps).collect();
        match steps {
            Some(steps) if !text.is_empty() => Ok(Self::Letters(steps.concat())),
            _ => Err("a mode is an octal number, or has a form such as `u+x`, `go-w` or `a=rX`".to_owned()),
        }
    }
}

/// The steps of one clause: classes, then operators with letters.
fn steps(clause: &str) -> Option<Vec<Step>> {
    let classes = clause.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in clause[..classes].chars() {
        who |= match letter {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => ALL,
            _ => return None,
        };
    }
    let who = if who == 0 { ALL } else { who };
    let mut steps: Vec<Step> = Vec::new();
    for letter in clause[classes..].chars() {
        match letter {
            '+' | '-' | '=' => steps.push(Step {
                who,
                operator: letter,
                letters: String::new(),
            }),
            'r' | 'w' | 'x' | 'X' | 's' | 't' => steps.last_mut()?.letters.push(letter),
            _ => return None,
        }
    }
    Some(steps)
}

impl ModeArg {
    /// The mode that `mode` becomes.
    pub(crate) fn of(&self, mode: u16, is_directory: bool) -> u16 {
        match self {
            Self::Octal(mode) => *mode,
            Self::Letters(steps) => steps.iter().fold(mode, |mode, step| step.of(mode, is_directory)),
        }
    }
}

impl Step {
    fn of(&self, mode: u16, is_directory: bool) -> u16 {
        let can_run = is_directory || mode & 0o111 != 0;
        let mut bits = 0;
        for letter in self.letters.chars() {
            bits |= match letter {
                'r' => 0o444 & self.who,
                'w' => 0o222 & self.who,
                'x' => 0o111 & self.who,
                'X' if can_run => 0o111 & self.who,
                's' => self.set_id_bits(),
                't' => 0o1000,
                _ => 0,
            };
        }
        match self.operator {
            '+' => mode | bits,
            '-' => mode & !bits,
            _ => {
                // A directory keeps the bits that are not permissions unless they are named.
                let special = if is_directory { 0 } else { self.set_id_bits() };
                mode & !(self.who | special) | bits
            }
        }
    }

    fn set_id_bits(&self) -> u16 {
        let user = if self.who & 0o700 != 0 { 0o4000 } else { 0 };
        let group = if self.who & 0o070 != 0 { 0o2000 } else { 0 };
        user | group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_change_as_chmod_changes_them() {
        for (text, old, is_directory, new) in [
            ("640", 0o4755, false, 0o640),
            ("u+x", 0o644, false, 0o744),
            ("go-rwx", 0o755, false, 0o700),
            ("a=rX", 0o600, false, 0o444),
            ("a=rX", 0o700, true, 0o555),
            ("+t,g+s", 0o755, true, 0o3755),
            ("u=rwx,go=", 0o4755, false, 0o700),
            ("u+w-x", 0o555, false, 0o655),
            ("u-s", 0o4755, false, 0o755),
        ] {
            let mode: ModeArg = text.parse().unwrap();
            assert_eq!(mode.of(old, is_directory), new, "{text} of {old:o}");
        }
        for wrong in ["", "8", "77777", "u", "z+x", "u+q", "u+x,"] {
            assert!(ModeArg::from_str(wrong).is_err(), "{wrong}");
        }
    }
}
