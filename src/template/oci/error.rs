//! What can go wrong between a registry and the templates here.

use std::io;
use std::path::PathBuf;

use super::reached;
use super::reference::ReferenceError;
use crate::base::digest::Sha256Digest;
use crate::base::{ByteSize, PathError};

/// Says why a template did not go to a registry, or did not come from one.
#[derive(Debug, thiserror::Error)]
pub enum OciError {
    /// The text names no place in a registry.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// A template is pushed under a tag; its digest comes of what it holds.
    #[error("`{0}` is a digest: a template is pushed under a tag")]
    PushByDigest(String),
    /// Nobody answers there.
    #[error("cannot reach the registry `{registry}`")]
    Unreachable {
        /// The registry.
        registry: String,
        /// Why.
        #[source]
        source: Box<ureq::Error>,
    },
    /// What answers there is no registry.
    #[error("`{registry}` is no registry: it answers {status} to the question whether it is one")]
    NoRegistry {
        /// The host.
        registry: String,
        /// The answer's code.
        status: u16,
    },
    /// The registry wants to know who asks, or does not let them.
    #[error("the registry `{registry}` refuses {user} access to `{repository}`")]
    Unauthorized {
        /// The registry.
        registry: String,
        /// The repository.
        repository: String,
        /// Who asked, in words.
        user: String,
    },
    /// Credentials would go over the network for everybody to read, or to somebody else.
    #[error("the registry `{registry}` wants credentials to be sent to `{realm}`, which is not safe")]
    UnsafeRealm {
        /// The registry.
        registry: String,
        /// Where they should go.
        realm: String,
    },
    /// There is no such template.
    #[error("the registry has no `{0}`")]
    NotFound(String),
    /// The registry answers something that the work cannot go on with.
    #[error("the registry answers {status} {}{}", action, said(message))]
    Status {
        /// The answer's code.
        status: u16,
        /// When.
        action: &'static str,
        /// What it says itself.
        message: String,
    },
    /// The connection broke.
    #[error("the connection to the registry failed {action}")]
    Broken {
        /// When.
        action: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Something the registry said is not what the protocol has.
    #[error("the registry's answer is not understood: {0}")]
    Protocol(String),
    /// A document is not what it should be.
    #[error("the {what} `{digest}` is not understood")]
    Document {
        /// Which document.
        what: &'static str,
        /// Its digest.
        digest: Sha256Digest,
        /// Where and why.
        #[source]
        source: serde_json::Error,
    },
    /// Something else than a template lies there.
    #[error("`{reference}` is no template of mln-image: it is {found}")]
    NotATemplate {
        /// The place.
        reference: String,
        /// What lies there.
        found: String,
    },
    /// A template's documents say what cannot be.
    #[error("`{reference}` is refused: {what}")]
    Hostile {
        /// The place.
        reference: String,
        /// What they say.
        what: String,
    },
    /// Something is longer than it may be.
    #[error("the {what} is longer than {limit}")]
    TooLong {
        /// What.
        what: &'static str,
        /// How long it may be.
        limit: ByteSize,
    },
    /// What came is not what was asked for.
    #[error("the {what} is damaged: its digest is {found}, but should be {expected}")]
    Digest {
        /// What came.
        what: &'static str,
        /// The digest that it should have.
        expected: Sha256Digest,
        /// The digest that it has.
        found: Sha256Digest,
    },
    /// A blob has the right digest, but does not hold what the template says.
    #[error("chunk {index} does not hold the {expected} that the template says")]
    Chunk {
        /// Its place, from 0.
        index: u32,
        /// How long it should be.
        expected: ByteSize,
    },
    /// The template does not fit.
    #[error("the template needs {needed} in `{}`, where {free} are free", directory.display())]
    NoRoom {
        /// What it needs.
        needed: ByteSize,
        /// What there is.
        free: ByteSize,
        /// Where.
        directory: PathBuf,
    },
    /// Another process pulls the same template at this moment.
    #[error("another process is pulling this template")]
    Busy,
    /// The template has no signature.
    #[error("`{0}` is not signed")]
    Unsigned(String),
    /// The template has signatures, but none by a key that is trusted.
    #[error("`{reference}` is not signed by a trusted key: {}", found.join("; "))]
    Untrusted {
        /// The place.
        reference: String,
        /// What its signatures are worth.
        found: Vec<String>,
    },
    /// A text is no key of minisign.
    #[error("`{origin}` is no {kind} key of minisign")]
    Key {
        /// Where the text comes from.
        origin: String,
        /// `public` or `secret`.
        kind: &'static str,
        /// Why.
        #[source]
        source: minisign::PError,
    },
    /// A secret key is locked by a password.
    #[error("the key `{0}` is encrypted")]
    KeyEncrypted(String),
    /// Making keys or signing failed.
    #[error("cannot {action}")]
    Signing {
        /// What.
        action: &'static str,
        /// Why.
        #[source]
        source: minisign::PError,
    },
    /// The certificates that are to be trusted are none.
    #[error("`{}` has no certificate in PEM form", .0.display())]
    NoCertificate(PathBuf),
    /// What came cannot be written.
    #[error("cannot write what came from the registry")]
    Write(#[source] io::Error),
    /// A file could not be used.
    #[error(transparent)]
    Path(#[from] PathError),
}

impl OciError {
    /// What the user can do about it, one way a line.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Unreachable { registry, .. } => format!(
                "is `{registry}` right? A registry that has no TLS, and is not on this machine, needs --plain-http; one with a \
                 certificate of its own --ca-file"
            ),
            Self::Unauthorized { registry, .. } => format!(
                "log in with `docker login {registry}` or `skopeo login {registry}`, or give --username and --password-stdin"
            ),
            Self::NotFound(_) => "look at the name and the tag; without a tag, `latest` is meant".to_owned(),
            Self::Unsigned(_) | Self::Untrusted { .. } => {
                "have it pushed with `template push --sign KEYFILE`, or take it as it is with --no-verify"
                    .to_owned()
            }
            Self::KeyEncrypted(_) => "give its password with --sign-password-file".to_owned(),
            Self::Digest { .. } => {
                "the registry's storage or the way from it is damaged: push the template again".to_owned()
            }
            Self::Busy => "wait for it".to_owned(),
            _ => return Vec::new(),
        };
        vec![hint]
    }

    /// Makes the closure that `map_err` wants around reading and writing a connection.
    pub(super) fn broken(action: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Broken { action, source }
    }

    /// Whether the same might go well a moment later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { source, .. } => reached::is_passing(source),
            Self::Broken { .. } => true,
            Self::Status { status, .. } => is_passing_status(*status),
            _ => false,
        }
    }
}

/// Whether an answer with this code says that another try is worth it.
pub(super) fn is_passing_status(status: u16) -> bool {
    matches!(status, 408 | 429 | 500 | 502 | 503 | 504)
}

/// What the registry said, as the end of a sentence.
fn said(message: &str) -> String {
    if message.is_empty() {
        return String::new();
    }
    format!(": {message}")
}
