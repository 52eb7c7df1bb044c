//! What can be wrong with a project, and how it is said.

use super::unique::Unique;
use crate::base::{GuestPathError, SizeError};
use crate::diag::Span;

/// The faults of a project, without their main place.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// A file cannot be read.
    #[error("{reason}")]
    UnreadableFile {
        /// The path as the project has it.
        path: String,
        /// Why not.
        reason: String,
    },
    /// A file includes itself.
    #[error("files include each other: {}", arrows(chain))]
    IncludeCycle {
        /// The files, the first again at the end.
        chain: Vec<String>,
    },
    /// The limits of including.
    #[error("a project may include files {depth} deep, {files} files and {bytes} bytes in all")]
    TooMuchIncluded {
        /// How deep.
        depth: usize,
        /// How many files.
        files: usize,
        /// How many bytes.
        bytes: usize,
    },
    /// A text in an old encoding.
    #[error("the file is not UTF-8: read as ISO 8859-1")]
    NotUtf8,
    /// A block with more than two words before its brace.
    #[error("a block has one name at most")]
    LongHeader,
    /// Two hosts of one name.
    #[error("host `{name}` is defined twice")]
    DuplicateHost {
        /// The name.
        name: String,
        /// The first.
        first: Span,
    },
    /// A block opened again, which replaces the first.
    #[error("`{name}` is opened again and replaces the first")]
    ReplacedBlock {
        /// The block's name.
        name: String,
        /// The first.
        first: Span,
    },
    /// A keyword set again in one block.
    #[error("`{keyword}` is set again and replaces the first")]
    RepeatedKeyword {
        /// The keyword.
        keyword: String,
        /// The first.
        first: Span,
    },
    /// A statement at the top level.
    #[error("`{keyword}` stands outside every block and has no effect")]
    OutsideBlock {
        /// The keyword.
        keyword: String,
    },
    /// A block that nobody knows.
    #[error("unknown block `{name}`, kept for plugins")]
    UnknownBlock {
        /// Its name.
        name: String,
        /// The known name that is nearest.
        near: Option<String>,
    },
    /// A keyword that nobody knows.
    #[error("unknown keyword `{keyword}` in {place}, kept for plugins")]
    UnknownKeyword {
        /// The keyword.
        keyword: String,
        /// What kind of block it is in.
        place: &'static str,
        /// The known keyword that is nearest.
        near: Option<String>,
    },
    /// A keyword of the configuration that nobody knows.
    #[error("unknown keyword `{keyword}` in the configuration")]
    UnknownSetting {
        /// The keyword.
        keyword: String,
        /// The known keyword that is nearest.
        near: Option<String>,
    },
    /// A keyword of other blocks.
    #[error("`{keyword}` has no meaning in {place}")]
    MisplacedKeyword {
        /// The keyword.
        keyword: String,
        /// What kind of block it is in.
        place: &'static str,
        /// Where it has one.
        belongs: &'static str,
    },
    /// A keyword that this program knows and passes over.
    #[error("`{keyword}` has no effect here")]
    NoEffect {
        /// The keyword.
        keyword: String,
    },
    /// A keyword of a platform that is not there.
    #[error("`{keyword}` belongs to {platform}, which is not supported: it is kept for plugins")]
    Unsupported {
        /// The keyword.
        keyword: String,
        /// The platform.
        platform: &'static str,
    },
    /// A statement where a block belongs.
    #[error("`{keyword}` needs a block")]
    BlockExpected {
        /// The keyword.
        keyword: String,
    },
    /// A block where a statement belongs.
    #[error("`{keyword}` is a keyword, not a block")]
    ValueExpected {
        /// The keyword.
        keyword: String,
    },
    /// A keyword without its value.
    #[error("`{keyword}` needs a value")]
    MissingValue {
        /// The keyword.
        keyword: String,
    },
    /// More words than are taken.
    #[error("`{keyword}` takes {taken}")]
    SurplusWords {
        /// The keyword.
        keyword: String,
        /// What it takes.
        taken: &'static str,
    },
    /// A superclass that is not there.
    #[error("superclass `{name}` is not defined")]
    UnknownSuperclass {
        /// Its name.
        name: String,
        /// The defined one that is nearest.
        near: Option<String>,
    },
    /// `!remove` of something that is not inherited.
    #[error("nothing called `{name}` is inherited here")]
    NothingRemoved {
        /// The name.
        name: String,
        /// What is inherited and nearest.
        near: Option<String>,
    },
    /// A keyword that a plugin's block does not have.
    #[error("`{block}` has no keyword `{keyword}`")]
    UnknownInBlock {
        /// The keyword.
        keyword: String,
        /// The block.
        block: String,
        /// The keyword of the block that is nearest.
        near: Option<String>,
    },
    /// A plugin's block without a keyword that it needs.
    #[error("`{block}` needs the keyword `{keyword}`")]
    MissingInBlock {
        /// The keyword.
        keyword: String,
        /// The block.
        block: String,
        /// What it says.
        help: String,
    },
    /// A superclass that inherits from itself.
    #[error("superclasses inherit from each other: {}", arrows(chain))]
    SuperclassCycle {
        /// The names, the first again at the end.
        chain: Vec<String>,
    },
    /// More superclasses above each other than a project can need.
    #[error("superclasses inherit more than {max} deep")]
    DeepInheritance {
        /// How many are taken.
        max: usize,
    },
    /// Hosts and superclasses that blow up.
    #[error("hosts and superclasses have more than {max} lines together")]
    TooMuchInherited {
        /// How many are taken.
        max: usize,
    },
    /// A variable that is not there.
    #[error("variable `${name}` is not defined, the text stays as it is")]
    UndefinedVariable {
        /// The name.
        name: String,
        /// The defined one that is nearest.
        near: Option<String>,
    },
    /// A variable that contains itself.
    #[error("variables contain each other: {}", arrows(chain))]
    VariableCycle {
        /// The names, the first again at the end.
        chain: Vec<String>,
    },
    /// Variables in variables, without end.
    #[error("variables contain each other more than {max} deep")]
    DeepVariables {
        /// How many are taken.
        max: usize,
    },
    /// A variable in the middle of a word.
    #[error("`${name}` inside a word is not replaced")]
    VariableInsideWord {
        /// The name.
        name: String,
    },
    /// Variables that blow up.
    #[error("the value grows beyond {max} bytes")]
    LongExpansion {
        /// The limit.
        max: usize,
    },
    /// A text that is not what its keyword takes.
    #[error("`{text}` is not {expected}")]
    BadValue {
        /// The text.
        text: String,
        /// What is taken.
        expected: String,
        /// A way out.
        hint: Option<String>,
    },
    /// A text that is not a size.
    #[error("{0}")]
    BadSize(SizeError),
    /// A text that is not a path in the guest.
    #[error("{0}")]
    BadGuestPath(GuestPathError),
    /// No `project` in `global`.
    #[error("the project has no name")]
    MissingProject,
    /// A name that cannot be a directory's.
    #[error("`{name}` cannot name a {what}")]
    BadName {
        /// The name.
        name: String,
        /// What it should name.
        what: &'static str,
        /// What names are made of.
        rule: &'static str,
    },
    /// No template.
    #[error("host `{host}` has no template")]
    MissingTemplate {
        /// The host.
        host: String,
    },
    /// More disks than there are letters.
    #[error("host `{host}` has {count} disks, at most {max} are possible")]
    TooManyDisks {
        /// The host.
        host: String,
        /// How many it has.
        count: usize,
        /// How many it may have.
        max: usize,
    },
    /// Something that one host alone may have.
    #[error("host `{host}` has the {what} {value}, which {other} has already")]
    Duplicate {
        /// What it is.
        what: Unique,
        /// The thing itself.
        value: String,
        /// The host.
        host: String,
        /// Who has it already.
        other: String,
        /// The first.
        first: Span,
    },
    /// A switch whose range is too short.
    #[error("switch `{switch}` has no address left for `{interface}` of host `{host}`")]
    NoAddressLeft {
        /// The switch.
        switch: String,
        /// The host that gets none.
        host: String,
        /// Its interface.
        interface: String,
    },
    /// A range of addresses that the switch does not have.
    #[error("`dhcp` hands out addresses of the switch's own network, and {reason}")]
    DhcpOutside {
        /// What does not fit.
        reason: String,
    },
    /// A hash that no `crypt` makes.
    #[error("`{hash}` is not a recognised crypt hash, it is written as it is")]
    UnrecognisedHash {
        /// The hash.
        hash: String,
    },
    /// A fixed address without a mask.
    #[error("interface `{interface}` of host `{host}` has an address but no netmask")]
    MissingNetmask {
        /// The host.
        host: String,
        /// The interface.
        interface: String,
    },
    /// A gateway that cannot be reached.
    #[error("gateway {gateway} is outside the network {network} of host `{host}`")]
    GatewayOutside {
        /// The host.
        host: String,
        /// The gateway.
        gateway: String,
        /// The network.
        network: String,
    },
    /// A switch that is not there.
    #[error("switch `{name}` is not defined")]
    UnknownSwitch {
        /// Its name.
        name: String,
        /// The defined one that is nearest.
        near: Option<String>,
    },
    /// A member of a group who is not an account of the host.
    #[error("`{member}` in group `{group}` is not among the users of host `{host}`")]
    UnknownMember {
        /// The host.
        host: String,
        /// The group.
        group: String,
        /// The member.
        member: String,
    },
    /// Hosts that no server is named for, in a project of several.
    #[error("host `{host}` {} no `service_host`, though others have", verb(*.more))]
    NoServer {
        /// The first of them.
        host: String,
        /// How many more there are.
        more: usize,
    },
    /// Hosts that cannot share a copy-on-write file system.
    #[error("host `{host}` and host `{other}` share `{cow}`, but differ in `{keyword}`")]
    CowDiffers {
        /// The host.
        host: String,
        /// The host that named it before.
        other: String,
        /// What they share.
        cow: String,
        /// In what they differ.
        keyword: &'static str,
        /// Where the other host names it.
        first: Span,
    },
    /// Another format beside `cow_filesystem`.
    #[error("`cow_filesystem` wants `format uml-cow`, and `{format}` is given")]
    CowFormat {
        /// The format.
        format: &'static str,
    },
    /// `free_space` and `size` together.
    #[error("`free_space` goes before `size` in host `{host}`")]
    SizeIgnored {
        /// The host.
        host: String,
        /// The `size`.
        size: Span,
    },
}

/// `has`, or `and 2 more have`
fn verb(more: usize) -> String {
    match more {
        0 => "has".to_owned(),
        _ => format!("and {more} more have"),
    }
}

/// `a -> b -> a`
fn arrows(chain: &[String]) -> String {
    let quoted: Vec<String> = chain.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(" -> ")
}
