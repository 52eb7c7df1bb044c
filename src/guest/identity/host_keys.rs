//! The keys by which ssh clients know a machine: `/etc/ssh/ssh_host_*`, in the form that `ssh-keygen -A` makes.

use ssh_key::private::{EcdsaKeypair, Ed25519Keypair, KeypairData, RsaKeypair};
use ssh_key::rand_core::{CryptoRng, Error, RngCore};
use ssh_key::{EcdsaCurve, LineEnding, PrivateKey};

use crate::base::{GuestPath, IdentityKey, Origin};
use crate::edit::{Attributes, Edit, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target;
use crate::guest::text::{lines, words};
use crate::project::{Host, HostKeyKind};

/// The directory of the keys.
const DIRECTORY: &str = "/etc/ssh";
/// The length of an RSA key in bits, as ssh-keygen has it.
const RSA_BITS: usize = 3072;

/// How many bytes of a seed tell it from others.
const SEED_BYTES: usize = 16;

/// Whether the keys are needed, or only what space they take: making them is most of what configuring a guest costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKeys {
    /// They are made.
    Made,
    /// Zeros stand for them, about as many; the list of public halves stays empty.
    Foreseen,
}

/// What comes of a machine's keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// The public halves, as in a `.pub` file without the comment; none of keys that are only foreseen.
    pub(super) public: Vec<String>,
    /// The beginnings of what the keys follow from.
    pub(super) seeds: Vec<[u8; SEED_BYTES]>,
    /// The edits that write them.
    pub(super) edits: Vec<Edit>,
}

/// The machine's keys and the edits that write them; none where the guest has no ssh server.
pub(super) fn configure(
    host: &Host,
    view: &dyn GuestView,
    names: &[&str],
    (key, wanted): (&IdentityKey, HostKeys),
    origin: &Origin,
) -> Result<Keys, GuestError> {
    let kinds = match &host.host_keys {
        Some(kinds) => kinds.value.clone(),
        None => kinds_of(view)?,
    };
    let origin = host.host_keys.as_ref().map_or(origin, |kinds| &kinds.origin);
    let comment = format!("root@{}", host.name);
    let mut keys = Keys::default();
    let mut written = Vec::new();
    for kind in kinds {
        let mut seed = [0; SEED_BYTES];
        stream(kind, names, key).fill(&mut seed);
        keys.seeds.push(seed);
        let (private, public) = match wanted {
            HostKeys::Foreseen => foreseen(kind, &comment),
            HostKeys::Made => {
                let (private, public) = make(kind, names, key, &comment);
                let line = format!("{public} {comment}\n");
                keys.public.push(public);
                (private, line)
            }
        };
        let name = format!("ssh_host_{}_key", kind.name());
        for (name, content, mode) in [
            (name.clone(), private, 0o600),
            (format!("{name}.pub"), public, 0o644),
        ] {
            let place = target::place(view, &GuestPath::literal(&format!("{DIRECTORY}/{name}")))?;
            let attributes = Attributes::owned(mode, 0, 0);
            keys.edits
                .push(Edit::file(place, content, attributes, origin.clone()));
            written.push(name.into_bytes());
        }
    }
    keys.edits.extend(remove_others(view, &written, origin)?);
    Ok(keys)
}

/// What stands for the private and the public file of a key: they take the same blocks.
fn foreseen(kind: HostKeyKind, comment: &str) -> (String, String) {
    let (private, public) = match kind {
        HostKeyKind::Ed25519 => (387, 82),
        HostKeyKind::Ecdsa => (493, 163),
        HostKeyKind::Rsa => (2590, 545),
    };
    // The comment is within the private file's base64.
    let zeros = |len| "\0".repeat(len);
    (
        zeros(private + comment.len() * 4 / 3),
        zeros(public + comment.len()),
    )
}

/// What a key follows from: the project's secret and the names of project and host.
fn stream(kind: HostKeyKind, names: &[&str], key: &IdentityKey) -> blake3::OutputReader {
    key.stream(&format!("ssh host key {}", kind.name()), names)
}

/// The edits that remove every host key but those called `kept`.
pub(super) fn remove_others(
    view: &dyn GuestView,
    kept: &[Vec<u8>],
    origin: &Origin,
) -> Result<Vec<Edit>, GuestError> {
    let mut edits = Vec::new();
    for (directory, is_key) in [
        (
            DIRECTORY,
            (|name| name.starts_with(b"ssh_host_") && has_key_in(name)) as fn(&[u8]) -> bool,
        ),
        ("/etc/dropbear", |name| {
            name.starts_with(b"dropbear_") && name.ends_with(b"_host_key")
        }),
    ] {
        let directory = GuestPath::literal(directory);
        for name in view.list(&directory)?.unwrap_or_default() {
            if is_key(&name) && !kept.contains(&name) {
                let path = directory
                    .join(&name)
                    .expect("a name of a directory is a component");
                edits.push(Edit::absent(target::place(view, &path)?, super::implied(origin)));
            }
        }
    }
    Ok(edits)
}

fn has_key_in(name: &[u8]) -> bool {
    name.windows(4).any(|window| window == b"_key")
}

/// The kinds of key that the guest's ssh server reads: those that its configuration names, else the two that are
/// cheap and that every server since OpenSSH 6.5 takes.
fn kinds_of(view: &dyn GuestView) -> Result<Vec<HostKeyKind>, GuestError> {
    let Some(configuration) = target::read(view, "/etc/ssh/sshd_config")? else {
        let is_there = view.exists(&GuestPath::literal("/usr/sbin/sshd"))?;
        return Ok(if is_there { usual() } else { Vec::new() });
    };
    let named: Vec<HostKeyKind> = lines(&configuration).into_iter().filter_map(named_kind).collect();
    let mut kinds: Vec<HostKeyKind> = HostKeyKind::ALL
        .into_iter()
        .filter(|kind| named.contains(kind))
        .collect();
    if kinds.is_empty() {
        kinds = known_kinds(view)?;
    }
    Ok(kinds)
}

/// The kinds for a server that names none: RSA where the template has such a key and none of the newer kinds, which
/// its server is too old for; else the usual ones.
fn known_kinds(view: &dyn GuestView) -> Result<Vec<HostKeyKind>, GuestError> {
    let has = |kind: HostKeyKind| {
        view.exists(&GuestPath::literal(&format!(
            "{DIRECTORY}/ssh_host_{}_key",
            kind.name()
        )))
    };
    for kind in usual() {
        if has(kind)? {
            return Ok(usual());
        }
    }
    Ok(if has(HostKeyKind::Rsa)? {
        vec![HostKeyKind::Rsa]
    } else {
        usual()
    })
}

fn usual() -> Vec<HostKeyKind> {
    vec![HostKeyKind::Ed25519, HostKeyKind::Ecdsa]
}

/// The kind that a line `HostKey /etc/ssh/ssh_host_KIND_key` names.
fn named_kind(line: &[u8]) -> Option<HostKeyKind> {
    let mut words = words(line);
    if !words.next()?.eq_ignore_ascii_case(b"HostKey") {
        return None;
    }
    let file = words.next()?;
    HostKeyKind::ALL
        .into_iter()
        .find(|kind| file == format!("{DIRECTORY}/ssh_host_{}_key", kind.name()).as_bytes())
}

/// The private half of the key that follows from the project's secret and the names of project and host, as the file has
/// it, and the public half as in a `.pub` file without the comment.
fn make(kind: HostKeyKind, names: &[&str], key: &IdentityKey, comment: &str) -> (String, String) {
    let mut stream = Stream(stream(kind, names, key));
    let pair = match kind {
        HostKeyKind::Ed25519 => KeypairData::from(Ed25519Keypair::random(&mut stream)),
        HostKeyKind::Ecdsa => KeypairData::from(
            EcdsaKeypair::random(&mut stream, EcdsaCurve::NistP256).expect("the curve P-256 is built in"),
        ),
        HostKeyKind::Rsa => KeypairData::from(
            RsaKeypair::random(&mut stream, RSA_BITS).expect("3072 bits are enough for a key"),
        ),
    };
    let private = PrivateKey::new(pair, comment).expect("a pair that was just made is whole");
    let mut public = private.public_key().clone();
    public.set_comment("");
    let written = private.to_openssh(LineEnding::LF);
    (
        written.expect("a whole key can be written").to_string(),
        public.to_openssh().expect("a whole key can be written"),
    )
}

/// Derived bytes as the numbers that the making of keys draws.
struct Stream(blake3::OutputReader);

impl CryptoRng for Stream {}

impl RngCore for Stream {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.0.fill(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.0.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill(bytes);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.0.fill(bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_are_foreseen_take_the_blocks_of_those_that_are_made() {
        let secret = IdentityKey::from_bytes([7; 32]);
        // RSA keys, which take a second each, are as long as each other.
        for (kind, times) in [
            (HostKeyKind::Ed25519, 40),
            (HostKeyKind::Ecdsa, 40),
            (HostKeyKind::Rsa, 1),
        ] {
            for number in 0..times {
                let name = "n".repeat(1 + number * 62 / 39);
                let comment = format!("root@{name}");
                let (private, public) = make(kind, &["p", &name], &secret, &comment);
                let public = format!("{public} {comment}\n");
                let foreseen = foreseen(kind, &comment);
                for (made, foreseen) in [(private, foreseen.0), (public, foreseen.1)] {
                    let blocks = |text: &str| text.len().div_ceil(1024);
                    assert_eq!(blocks(&made), blocks(&foreseen), "{kind:?} {name}");
                    let distance = made.len().abs_diff(foreseen.len());
                    assert!(
                        distance < 32,
                        "{kind:?} {name}: {} and {}",
                        made.len(),
                        foreseen.len()
                    );
                }
            }
        }
    }
}
