//! Reads the values of keywords; what a value cannot be is reported once, where it stands.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv6Net};

use super::model::InterfaceAddress6;
use super::origins::{Lines, Origins};
use super::problem::Problem;
use super::schema::ValueKind;
use super::section::{Entry, Section};
use super::wording::Problems;
use crate::base::{ByteSize, GuestPath, Origin, Sourced};
use crate::diag::{Span, nearest};
use crate::lang::Word;

/// Reads values, and knows the lines they come from.
pub(super) struct Values<'a> {
    pub(super) problems: &'a mut Problems,
    lines: Lines<'a>,
}

impl<'a> Values<'a> {
    /// Reads values to be kept.
    pub(super) fn new(origins: &'a Origins, problems: &'a mut Problems) -> Self {
        let lines = Lines::Told(origins);
        Self { problems, lines }
    }

    /// Reads values to find faults in them; where they come from is not told.
    pub(super) fn checking(problems: &'a mut Problems) -> Self {
        let lines = Lines::Untold(Origin::implied(""));
        Self { problems, lines }
    }

    /// The line that `span` stands on.
    pub(super) fn origin(&self, span: Span) -> Origin {
        self.lines.of_span(span)
    }

    /// `value`, which no line asked for, described in `text`.
    pub(super) fn implied<T>(&self, value: T, text: &'static str) -> Sourced<T> {
        Sourced::new(value, self.lines.implied(text))
    }

    /// `value` with the line that `span` stands on.
    pub(super) fn sourced<T>(&self, value: T, span: Span) -> Sourced<T> {
        Sourced::new(value, self.origin(span))
    }

    pub(super) fn report(&mut self, problem: Problem, span: Span) {
        self.problems.add(problem, Some(span));
    }

    /// The nearest value of `keyword`, read by `read`.
    pub(super) fn setting<T>(
        &mut self,
        section: &Section,
        keyword: &str,
        read: impl FnOnce(&mut Self, &Entry) -> Option<T>,
    ) -> Option<Sourced<T>> {
        let entry = section.setting(keyword)?;
        let value = read(self, entry)?;
        Some(self.sourced(value, entry.key.span))
    }

    /// The nearest value of `keyword`, or of its `synonym` where that is missing.
    pub(super) fn either<T>(
        &mut self,
        section: &Section,
        keyword: &str,
        synonym: &str,
        read: impl FnOnce(&mut Self, &Entry) -> Option<T>,
    ) -> Option<Sourced<T>> {
        let name = if section.setting(keyword).is_some() {
            keyword
        } else {
            synonym
        };
        self.setting(section, name, read)
    }

    /// Reports what is wrong with the value of `entry`, which is to be one of `kind`.
    pub(super) fn check(&mut self, kind: ValueKind, entry: &Entry) {
        match kind {
            ValueKind::Flag => drop(self.flag(entry)),
            ValueKind::Word => drop(self.word(entry)),
            ValueKind::Choice(choices) => drop(self.choice(entry, choices)),
            ValueKind::Text => drop(self.text(entry)),
            ValueKind::Number(least, most) => drop(self.number(entry, least, most)),
            ValueKind::Integer(least, most) => drop(self.integer(entry, least, most)),
            ValueKind::Size => drop(self.size(entry)),
            ValueKind::Memory => drop(self.memory(entry)),
            ValueKind::Address => drop(self.address(entry)),
            ValueKind::Addresses => drop(self.addresses(entry)),
            ValueKind::AddressOrDhcp => {
                if self.word(entry).is_some_and(|word| &*word.text != "dhcp") {
                    self.address_and_prefix(entry);
                }
            }
            ValueKind::Address6 => drop(self.address6(entry)),
            ValueKind::Address6OrAuto => drop(self.address6_or_auto(entry)),
            ValueKind::Prefixes => drop(self.prefixes(entry)),
            ValueKind::Netmask => drop(self.netmask(entry)),
            ValueKind::Mac => drop(self.mac(entry)),
            ValueKind::Hash => drop(self.password(entry)),
            ValueKind::Any | ValueKind::Lines | ValueKind::Block(_) => {}
        }
    }

    /// On without a value or with `1`, off with `0`.
    pub(super) fn flag(&mut self, entry: &Entry) -> Option<bool> {
        match &*entry.value_text() {
            "" | "1" | "yes" | "on" => Some(true),
            "0" | "no" | "off" => Some(false),
            _ => self.bad_value(entry, "a flag: `1` for on or `0` for off"),
        }
    }

    /// The one word of the value.
    pub(super) fn word<'e>(&mut self, entry: &'e Entry) -> Option<&'e Word> {
        let words = entry.value()?;
        if let Some(second) = words.get(1) {
            let keyword = entry.key.text.to_string();
            self.report(
                Problem::SurplusWords {
                    keyword,
                    taken: "one word",
                },
                second.span,
            );
        }
        if words.is_empty() {
            self.missing(entry);
        }
        words.first()
    }

    /// The one word of the value as text.
    pub(super) fn one_word(&mut self, entry: &Entry) -> Option<String> {
        self.word(entry).map(|word| word.text.to_string())
    }

    /// The value as text.
    pub(super) fn text(&mut self, entry: &Entry) -> Option<String> {
        let text = entry.value_text();
        if text.is_empty() {
            self.missing(entry);
            return None;
        }
        Some(text)
    }

    pub(super) fn choice(&mut self, entry: &Entry, choices: &[&'static str]) -> Option<&'static str> {
        let word = self.word(entry)?;
        if let Some(choice) = choices.iter().find(|choice| **choice == &*word.text) {
            return Some(choice);
        }
        let near = nearest(&word.text, choices.iter().copied());
        let quoted: Vec<String> = choices.iter().map(|choice| format!("`{choice}`")).collect();
        let problem = Problem::BadValue {
            text: word.text.to_string(),
            expected: format!("one of {}", quoted.join(", ")),
            hint: near.map(|near| format!("did you mean `{near}`?")),
        };
        self.report(problem, word.span);
        None
    }

    pub(super) fn number(&mut self, entry: &Entry, least: u32, most: u32) -> Option<u32> {
        self.in_range(entry, &least, &most)
    }

    pub(super) fn integer(&mut self, entry: &Entry, least: i32, most: i32) -> Option<i32> {
        self.in_range(entry, &least, &most)
    }

    fn in_range<N>(&mut self, entry: &Entry, least: &N, most: &N) -> Option<N>
    where
        N: std::str::FromStr + PartialOrd + std::fmt::Display,
    {
        let word = self.word(entry)?;
        let number = word
            .text
            .parse()
            .ok()
            .filter(|number| (least..=most).contains(&number));
        if number.is_none() {
            self.bad_word(word, &format!("a number from {least} to {most}"));
        }
        number
    }

    pub(super) fn size(&mut self, entry: &Entry) -> Option<ByteSize> {
        let text = self.text(entry)?;
        text.parse()
            .inspect_err(|error: &crate::base::SizeError| {
                self.report(Problem::BadSize(error.clone()), entry.value_span());
            })
            .ok()
    }

    /// A size; a bare number counts in MiB, as machines were given their memory before units were asked for.
    pub(super) fn memory(&mut self, entry: &Entry) -> Option<ByteSize> {
        let size = self.size(entry)?;
        let is_bare = entry.value_text().bytes().all(|byte| byte.is_ascii_digit());
        let bytes = if is_bare {
            size.0.checked_mul(1 << 20)
        } else {
            Some(size.0)
        };
        match bytes.filter(|bytes| *bytes >= 1 << 20) {
            Some(bytes) => Some(ByteSize(bytes)),
            None => self.bad_value(entry, "an amount of memory of 1M or more"),
        }
    }

    pub(super) fn address(&mut self, entry: &Entry) -> Option<Ipv4Addr> {
        let word = self.word(entry)?;
        self.address_word(word)
    }

    /// An IPv4 address, and the length of its network's prefix if that is given.
    pub(super) fn address_and_prefix(&mut self, entry: &Entry) -> Option<(Ipv4Addr, Option<u8>)> {
        let word = self.word(entry)?;
        let Some((address, prefix)) = word.text.split_once('/') else {
            return Some((self.address_word(word)?, None));
        };
        let parsed = address
            .parse()
            .ok()
            .zip(prefix.parse().ok().filter(|len| (1..=32).contains(len)));
        if parsed.is_none() {
            self.bad_word(word, "an IPv4 address");
        }
        parsed.map(|(address, prefix)| (address, Some(prefix)))
    }

    pub(super) fn addresses(&mut self, entry: &Entry) -> Option<Vec<IpAddr>> {
        self.all(entry, "an IPv4 or IPv6 address")
    }

    pub(super) fn prefixes(&mut self, entry: &Entry) -> Option<Vec<IpNet>> {
        self.all(
            entry,
            "an address with the length of its prefix, such as `10.0.0.1/24` or `fd00::1/64`",
        )
    }

    pub(super) fn address6(&mut self, entry: &Entry) -> Option<Ipv6Addr> {
        let word = self.word(entry)?;
        self.parsed(word, "an IPv6 address")
    }

    pub(super) fn address6_or_auto(&mut self, entry: &Entry) -> Option<InterfaceAddress6> {
        let word = self.word(entry)?;
        match &*word.text {
            "auto" => Some(InterfaceAddress6::Auto),
            "dhcp" => Some(InterfaceAddress6::Dhcp),
            _ => {
                let expected = "an IPv6 address with the length of its prefix, `auto` or `dhcp`";
                self.parsed::<Ipv6Net>(word, expected)
                    .map(InterfaceAddress6::Static)
            }
        }
    }

    /// Every word of the value, at least one.
    fn all<T: std::str::FromStr>(&mut self, entry: &Entry, expected: &str) -> Option<Vec<T>> {
        let words = entry.value()?;
        if words.is_empty() {
            self.missing(entry);
        }
        words.iter().map(|word| self.parsed(word, expected)).collect()
    }

    /// What a word says, if it is that.
    pub(super) fn parsed<T: std::str::FromStr>(&mut self, word: &Word, expected: &str) -> Option<T> {
        let value = word.text.parse().ok();
        if value.is_none() {
            self.bad_word(word, expected);
        }
        value
    }

    fn address_word(&mut self, word: &Word) -> Option<Ipv4Addr> {
        let address = word.text.parse().ok();
        if address.is_none() {
            let mask = word
                .text
                .split_once('/')
                .filter(|(address, _)| address.parse::<Ipv4Addr>().is_ok());
            let hint = mask.map(|(address, _)| format!("write `{address}`"));
            self.bad(word, "an IPv4 address", hint);
        }
        address
    }

    pub(super) fn netmask(&mut self, entry: &Entry) -> Option<Ipv4Addr> {
        let word = self.word(entry)?;
        let mask = word.text.parse::<Ipv4Addr>().ok().filter(|mask| {
            let bits = u32::from(*mask);
            bits.leading_ones() + bits.trailing_zeros() == u32::BITS && bits != 0
        });
        if mask.is_none() {
            self.bad(
                word,
                "a network mask",
                Some("write it as `255.255.255.0`".to_owned()),
            );
        }
        mask
    }

    /// A hardware address in lower case, with two digits for each byte.
    pub(super) fn mac(&mut self, entry: &Entry) -> Option<String> {
        let word = self.word(entry)?;
        let bytes: Option<Vec<String>> = word
            .text
            .split(':')
            .map(|byte| {
                let is_hex =
                    (1..=2).contains(&byte.len()) && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
                is_hex.then(|| format!("{byte:0>2}").to_ascii_lowercase())
            })
            .collect();
        let bytes = bytes.filter(|bytes| bytes.len() == 6);
        if bytes.is_none() {
            let hint = Some("write it as `fe:fd:00:00:12:34`".to_owned());
            self.bad(word, "a hardware address", hint);
        }
        bytes.map(|bytes| bytes.join(":"))
    }

    /// The name of an account or group.
    pub(super) fn account_name(&mut self, word: &Word, what: &'static str) -> Option<String> {
        let name = &*word.text;
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        let fits = name.len() <= 32
            && name.bytes().all(is_inner)
            && !name.starts_with(['-', '.'])
            && !name.bytes().all(|byte| byte.is_ascii_digit());
        if fits {
            return Some(name.to_owned());
        }
        let rule = "at most 32 letters, digits, `_`, `.` and `-`, not digits alone";
        self.report(
            Problem::BadName {
                name: name.to_owned(),
                what,
                rule,
            },
            word.span,
        );
        None
    }

    pub(super) fn guest_path(&mut self, word: &Word) -> Option<GuestPath> {
        GuestPath::new(word.text.as_bytes())
            .inspect_err(|error| self.report(Problem::BadGuestPath(error.clone()), word.span))
            .ok()
    }

    pub(super) fn missing(&mut self, entry: &Entry) {
        let keyword = entry.key.text.to_string();
        self.report(Problem::MissingValue { keyword }, entry.key.span);
    }

    pub(super) fn bad_word(&mut self, word: &Word, expected: &str) {
        self.bad(word, expected, None);
    }

    pub(super) fn bad(&mut self, word: &Word, expected: &str, hint: Option<String>) {
        let (text, expected) = (word.text.to_string(), expected.to_owned());
        self.report(Problem::BadValue { text, expected, hint }, word.span);
    }

    pub(super) fn bad_value<T>(&mut self, entry: &Entry, expected: &str) -> Option<T> {
        let (text, expected) = (entry.value_text(), expected.to_owned());
        self.report(
            Problem::BadValue {
                text,
                expected,
                hint: None,
            },
            entry.value_span(),
        );
        None
    }
}
