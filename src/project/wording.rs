//! The rest of what is said about a fault: its code, how bad it is, further places, and the way out.

use std::collections::BTreeSet;

use super::problem::Problem;
use crate::diag::{Diagnostic, Diagnostics, Severity, Span};

/// The faults found so far; one is reported once, however many hosts inherit it.
#[derive(Debug)]
pub(super) struct Problems {
    seen: BTreeSet<(Option<Span>, &'static str, String)>,
    pub(super) diagnostics: Diagnostics,
}

/// The stages that find faults, in the order in which those of one place are told.
#[derive(Debug, Clone, Copy)]
pub(super) enum Stage {
    /// What the bytes of a file are.
    Text,
    /// Words, lines and braces.
    Syntax,
    /// Files inside files.
    Include,
    /// Which block adds to which.
    Blocks,
    /// What plugins make of the project.
    Extend,
    /// Variables and superclasses.
    Inherit,
    /// Each block by itself.
    Keywords,
    /// Hosts and switches beside each other.
    Between,
    /// What only one may have.
    Unique,
    /// What the hosts, and the project, come to.
    Build,
    /// What plugins say of the result.
    Finish,
}

impl Problems {
    pub(super) fn new(strict: bool) -> Self {
        Self {
            seen: BTreeSet::new(),
            diagnostics: Diagnostics::new(strict),
        }
    }

    /// From now on it is `stage` that finds faults.
    pub(super) fn begin(&mut self, stage: Stage) {
        self.diagnostics.begin_stage(stage as u8);
    }

    pub(super) fn add(&mut self, problem: Problem, span: Option<Span>) {
        self.push(problem.at(span));
    }

    /// Whether further faults are only counted, so that a search for the nearest name is for nothing.
    pub(super) fn is_flooded(&self) -> bool {
        self.diagnostics.error_count() + self.diagnostics.warning_count() >= Diagnostics::KEPT_MAX
    }

    pub(super) fn push(&mut self, diagnostic: Diagnostic) {
        let identity = (diagnostic.primary, diagnostic.code, diagnostic.message.clone());
        // Beyond what is kept, faults are only counted: remembering them all would let a text eat the memory.
        if self.seen.len() < Diagnostics::KEPT_MAX * 20 && !self.seen.insert(identity) {
            return;
        }
        self.diagnostics.push(diagnostic);
    }
}

impl Problem {
    /// The fault as a diagnostic at `span`.
    pub(super) fn at(self, span: Option<Span>) -> Diagnostic {
        let mut diagnostic = match self.severity() {
            Severity::Error => Diagnostic::error(self.code(), self.to_string(), span),
            Severity::Warning => Diagnostic::warning(self.code(), self.to_string(), span),
        };
        if let Some((place, text)) = self.label() {
            diagnostic = diagnostic.label(place, text);
        }
        match self.into_hint() {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        }
    }

    /// The fault's name for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnreadableFile { .. } => "unreadable-file",
            Self::IncludeCycle { .. } => "include-cycle",
            Self::TooMuchIncluded { .. } => "too-much-included",
            Self::NotUtf8 => "not-utf-8",
            Self::LongHeader => "long-header",
            Self::DuplicateHost { .. } => "duplicate-host",
            Self::ReplacedBlock { .. } => "replaced-block",
            Self::RepeatedKeyword { .. } => "repeated-keyword",
            Self::OutsideBlock { .. } => "outside-block",
            Self::UnknownBlock { .. } => "unknown-block",
            Self::UnknownKeyword { .. } | Self::UnknownInBlock { .. } => "unknown-keyword",
            Self::UnknownSetting { .. } => "unknown-setting",
            Self::MisplacedKeyword { .. } => "misplaced-keyword",
            Self::NoEffect { .. } => "no-effect",
            Self::Unsupported { .. } => "unsupported",
            Self::BlockExpected { .. } => "block-expected",
            Self::ValueExpected { .. } => "value-expected",
            Self::MissingValue { .. } => "missing-value",
            Self::SurplusWords { .. } => "surplus-words",
            Self::UnknownSuperclass { .. } => "unknown-superclass",
            Self::NothingRemoved { .. } => "nothing-removed",
            Self::MissingInBlock { .. } => "missing-keyword",
            Self::SuperclassCycle { .. } => "superclass-cycle",
            Self::DeepInheritance { .. } => "deep-inheritance",
            Self::TooMuchInherited { .. } => "too-much-inherited",
            Self::UndefinedVariable { .. } => "undefined-variable",
            Self::VariableCycle { .. } => "variable-cycle",
            Self::DeepVariables { .. } => "deep-variables",
            Self::VariableInsideWord { .. } => "variable-inside-word",
            Self::LongExpansion { .. } => "long-expansion",
            Self::BadValue { .. } => "bad-value",
            Self::BadSize(_) => "bad-size",
            Self::BadGuestPath(_) => "bad-guest-path",
            Self::MissingProject => "missing-project",
            Self::BadName { .. } => "bad-name",
            Self::MissingTemplate { .. } => "missing-template",
            Self::TooManyDisks { .. } => "too-many-disks",
            Self::Duplicate { what, .. } => what.code(),
            Self::NoAddressLeft { .. } => "no-address-left",
            Self::DhcpOutside { .. } => "dhcp-outside",
            Self::UnrecognisedHash { .. } => "unrecognised-hash",
            Self::MissingNetmask { .. } => "missing-netmask",
            Self::GatewayOutside { .. } => "gateway-outside",
            Self::UnknownSwitch { .. } => "unknown-switch",
            Self::UnknownMember { .. } => "unknown-member",
            Self::NoServer { .. } => "no-server",
            Self::CowDiffers { .. } => "cow-differs",
            Self::CowFormat { .. } => "cow-format",
            Self::SizeIgnored { .. } => "size-ignored",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::NotUtf8
            | Self::ReplacedBlock { .. }
            | Self::RepeatedKeyword { .. }
            | Self::OutsideBlock { .. }
            | Self::UnknownBlock { .. }
            | Self::UnknownKeyword { .. }
            | Self::UnknownSetting { .. }
            | Self::MisplacedKeyword { .. }
            | Self::NoEffect { .. }
            | Self::Unsupported { .. }
            | Self::SurplusWords { .. }
            | Self::NothingRemoved { .. }
            | Self::UnknownInBlock { .. }
            | Self::UndefinedVariable { .. }
            | Self::VariableInsideWord { .. }
            | Self::Duplicate { .. }
            | Self::UnrecognisedHash { .. }
            | Self::MissingNetmask { .. }
            | Self::GatewayOutside { .. }
            | Self::UnknownSwitch { .. }
            | Self::UnknownMember { .. }
            | Self::NoServer { .. }
            | Self::SizeIgnored { .. } => Severity::Warning,
            _ => Severity::Error,
        }
    }

    fn label(&self) -> Option<(Span, &'static str)> {
        match self {
            Self::DuplicateHost { first, .. } | Self::ReplacedBlock { first, .. } => {
                Some((*first, "first defined here"))
            }
            Self::RepeatedKeyword { first, .. } => Some((*first, "first set here")),
            Self::Duplicate { first, .. } => Some((*first, "first given here")),
            Self::SizeIgnored { size, .. } => Some((*size, "passed over")),
            Self::CowDiffers { first, .. } => Some((*first, "first named here")),
            _ => None,
        }
    }

    fn into_hint(self) -> Option<String> {
        let text = match self {
            Self::UnknownBlock { near, .. }
            | Self::UnknownKeyword { near, .. }
            | Self::UnknownSetting { near, .. }
            | Self::NothingRemoved { near, .. }
            | Self::UnknownInBlock { near, .. }
            | Self::UnknownSuperclass { near, .. }
            | Self::UnknownSwitch { near, .. } => return near.map(|near| format!("did you mean `{near}`?")),
            Self::UndefinedVariable { near, .. } => {
                return near.map(|near| format!("did you mean `${near}`?"));
            }
            Self::BadValue { hint, .. } => return hint,
            Self::MissingInBlock { keyword, help, .. } => format!("`{keyword}` {help}"),
            Self::NotUtf8 => "convert it with `iconv -f latin1 -t utf-8`".to_owned(),
            Self::LongHeader => "write `kind name {`, as in `host www1 {`".to_owned(),
            Self::MisplacedKeyword { belongs, .. } => format!("it belongs in {belongs}"),
            Self::BlockExpected { keyword } => format!("write `{keyword} {{ .. }}`"),
            Self::ValueExpected { keyword } => format!("write `{keyword}` and its value on one line"),
            Self::VariableInsideWord { name } => format!("write `$[{name}]`"),
            Self::BadSize(_) => "write a whole number and a unit, such as `512M` or `2G`".to_owned(),
            Self::MissingProject => "write `global { project NAME }`".to_owned(),
            Self::BadName { rule, .. } => format!("names are made of {rule}"),
            Self::MissingTemplate { .. } => {
                "write `template NAME` in the host or a superclass, or set `default_template` in mln.conf"
                    .to_owned()
            }
            Self::MissingNetmask { .. } => "write `netmask`, such as `netmask 255.255.255.0`".to_owned(),
            Self::NoServer { .. } => "hosts without one stay on this server".to_owned(),
            Self::UnrecognisedHash { .. } => "make one with `mkpasswd` or `openssl passwd -6`".to_owned(),
            _ => return None,
        };
        Some(text)
    }
}
