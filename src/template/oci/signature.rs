//! Signatures of minisign's form (<https://jedisct1.github.io/minisign/>) over a template's manifest, which by digests
//! covers every byte of the template. They lie beside it in the registry, as artifacts that refer to it.

use std::fmt;
use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use minisign::{KeyPair, SecretKeyBox, SignatureBox};

use super::client::Client;
use super::document::{Descriptor, EMPTY, Manifest, media_type};
use super::error::OciError;
use super::repository::Fetched;

/// The longest signature, with its comments.
const SIGNATURE_MAX: u64 = 4 << 10;

/// How many signatures of one template are looked at.
const SIGNATURES_MAX: usize = 64;

/// The length of the second signature in base64: that of 64 bytes.
const GLOBAL_SIGNATURE_LEN: usize = 88;

/// The length of a public key in base64.
const PUBLIC_KEY_LEN: usize = 56;

/// A key that signatures are held against.
#[derive(Clone)]
pub struct PublicKey(minisign::PublicKey);

/// A key to sign with.
pub struct SigningKey(minisign::SecretKey);

/// A new pair of keys as files have it.
#[derive(Clone)]
pub struct KeyTexts {
    /// The public half.
    pub public: String,
    /// The secret half.
    pub secret: String,
    /// What both are called.
    pub id: String,
}

impl PublicKey {
    /// Takes the content of a public key's file, or the key alone; `origin` is for messages.
    pub fn parse(text: &str, origin: &str) -> Result<Self, OciError> {
        let key = if Self::is_key(text) {
            minisign::PublicKey::from_base64(text.trim())
        } else {
            minisign::PublicKey::from_box(text.to_owned().into())
        };
        key.map(Self).map_err(|source| OciError::Key {
            origin: origin.to_owned(),
            kind: "public",
            source,
        })
    }

    /// Whether `text` looks like a key itself, not like the name of a file with one.
    pub fn is_key(text: &str) -> bool {
        let text = text.trim();
        text.len() == PUBLIC_KEY_LEN && text.starts_with("RW")
    }

    /// What the key is called.
    pub fn id(&self) -> String {
        shown_id(self.0.keynum())
    }
}

impl SigningKey {
    /// Takes the content of a secret key's file; `password` opens one that is encrypted, `origin` is for messages.
    pub fn parse(text: &str, password: Option<&str>, origin: &str) -> Result<Self, OciError> {
        let refused = |source| OciError::Key {
            origin: origin.to_owned(),
            kind: "secret",
            source,
        };
        if let Some(key) = unchecked(text) {
            return Ok(Self(key));
        }
        let text = || SecretKeyBox::from(text.to_owned());
        // An empty password makes no key that has none, and the other way round.
        let opened = match (text().into_unencrypted_secret_key(), password) {
            (Ok(key), _) => Ok(key),
            (Err(_), Some(password)) => text().into_secret_key(Some(password.to_owned())),
            (Err(error), None) if error.to_string().contains("encrypted") => {
                return Err(OciError::KeyEncrypted(origin.to_owned()));
            }
            (Err(error), None) => Err(error),
        };
        opened.map(Self).map_err(refused)
    }

    /// What the key is called.
    pub fn id(&self) -> String {
        shown_id(self.0.keynum())
    }

    fn public(&self) -> Result<PublicKey, OciError> {
        let key = minisign::PublicKey::from_secret_key(&self.0);
        key.map(PublicKey).map_err(signing("sign"))
    }
}

impl KeyTexts {
    /// Makes a new pair; with a password the secret half is encrypted.
    pub fn generate(password: Option<&str>) -> Result<Self, OciError> {
        let failed = || signing("make a pair of keys");
        let pair = match password {
            Some(password) => KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
            None => KeyPair::generate_unencrypted_keypair(),
        };
        let pair = pair.map_err(failed())?;
        let comment = match password {
            Some(_) => "minisign encrypted secret key",
            None => "minisign secret key, not encrypted",
        };
        Ok(Self {
            public: pair.pk.to_box().map_err(failed())?.into_string(),
            secret: pair.sk.to_box(Some(comment)).map_err(failed())?.into_string(),
            id: shown_id(pair.pk.keynum()),
        })
    }
}

/// The key that `minisign -G -W` writes: neither encrypted nor, unlike what the crate takes, with a checksum
/// (<https://jedisct1.github.io/minisign/#secret-key-format>).
fn unchecked(text: &str) -> Option<minisign::SecretKey> {
    const LEN: usize = 158;
    const FUNCTION: std::ops::Range<usize> = 2..4;
    const CHECKSUM: std::ops::RangeFrom<usize> = 126..;
    let bytes = STANDARD.decode(text.lines().nth(1)?.trim()).ok()?;
    let is_zero = |part: Option<&[u8]>| part.is_some_and(|part| part.iter().all(|byte| *byte == 0));
    let is_unchecked = bytes.len() == LEN
        && bytes.starts_with(b"Ed")
        && is_zero(bytes.get(FUNCTION))
        && is_zero(bytes.get(CHECKSUM));
    minisign::SecretKey::from_bytes(&bytes)
        .ok()
        .filter(|_| is_unchecked)
}

/// Signs `manifest`, and lays the signature beside it unless one by this key is there; says whether it sent one.
pub(super) fn attach(
    client: &Client,
    manifest: &Fetched,
    key: &SigningKey,
    title: &str,
) -> Result<bool, OciError> {
    let trusted = [key.public()?];
    if matches!(check(client, manifest, &trusted)?, Verdict::Signed(_)) {
        return Ok(false);
    }
    let signature = sign(manifest, key, title)?;
    let empty = Descriptor::of(media_type::EMPTY, EMPTY);
    let layer = Descriptor::of(media_type::SIGNATURE, &signature);
    for (descriptor, bytes) in [(&empty, EMPTY), (&layer, &signature)] {
        if !client.has_blob(&descriptor.digest)? {
            client.put_blob(&descriptor.digest, bytes)?;
        }
    }
    let mut artifact = Manifest::new(media_type::SIGNATURE, empty, vec![layer]);
    artifact.subject = Some(Descriptor::of(media_type::MANIFEST, &manifest.bytes));
    let bytes = artifact.to_bytes();
    let mut descriptor = Descriptor::of(media_type::MANIFEST, &bytes);
    descriptor.artifact_type = Some(media_type::SIGNATURE.to_owned());
    let name = descriptor.digest.to_string();
    let is_listed = client.put_manifest(&name, media_type::MANIFEST, &bytes)?;
    if !is_listed {
        client.add_tagged_referrer(manifest.digest, descriptor)?;
    }
    Ok(true)
}

/// The signature of `manifest`; the comment that it covers says what is signed.
fn sign(manifest: &Fetched, key: &SigningKey, title: &str) -> Result<Vec<u8>, OciError> {
    let comment = format!("{title} sha256:{}", manifest.digest);
    let signature = minisign::sign(
        None,
        &key.0,
        Cursor::new(&manifest.bytes),
        Some(&comment),
        Some("signature of a template's manifest"),
    );
    Ok(signature.map_err(signing("sign"))?.into_string().into_bytes())
}

/// What a template's signatures are worth.
enum Verdict {
    /// One is by the trusted key of this name.
    Signed(String),
    /// None is; why, for each.
    Untrusted(Vec<String>),
}

/// Refuses `manifest` unless one of the keys `trusted` signed it; says which.
pub(super) fn demand(
    client: &Client,
    manifest: &Fetched,
    trusted: &[PublicKey],
    reference: &str,
) -> Result<String, OciError> {
    match check(client, manifest, trusted)? {
        Verdict::Signed(id) => Ok(id),
        Verdict::Untrusted(found) if found.is_empty() => Err(OciError::Unsigned(reference.to_owned())),
        Verdict::Untrusted(found) => Err(OciError::Untrusted {
            reference: reference.to_owned(),
            found,
        }),
    }
}

fn check(client: &Client, manifest: &Fetched, trusted: &[PublicKey]) -> Result<Verdict, OciError> {
    let referrers = client.referrers(manifest.digest, media_type::SIGNATURE)?;
    let mut found = Vec::new();
    for referrer in referrers.iter().take(SIGNATURES_MAX) {
        // Anybody who may write there may lay rubbish beside the signature that counts.
        let outcome = signature_at(client, referrer)
            .map_err(|error| crate::base::report::chain(&error))
            .and_then(|text| verify(&text, &manifest.bytes, trusted));
        match outcome {
            Ok(id) => return Ok(Verdict::Signed(id)),
            Err(why) => found.push(why),
        }
    }
    Ok(Verdict::Untrusted(found))
}

/// The signature that the artifact `referrer` is.
fn signature_at(client: &Client, referrer: &Descriptor) -> Result<String, OciError> {
    let name = referrer.digest.to_string();
    let fetched = client.manifest(&name)?.ok_or(OciError::NotFound(name))?;
    let artifact = Manifest::parse(&fetched.bytes, fetched.digest)?;
    let layer = artifact
        .layers
        .first()
        .ok_or_else(|| OciError::Protocol("a signature is empty".to_owned()))?;
    let bytes = client.blob(layer, SIGNATURE_MAX, "signature")?;
    String::from_utf8(bytes).map_err(|_| OciError::Protocol("a signature is no text".to_owned()))
}

/// The name of the key among `trusted` that made the signature `text` over `bytes`, or why there is none.
fn verify(text: &str, bytes: &[u8], trusted: &[PublicKey]) -> Result<String, String> {
    let malformed = || "a signature is not of minisign's form".to_owned();
    // The crate takes this length for granted.
    let is_whole = text
        .lines()
        .nth(3)
        .is_some_and(|line| line.trim().len() == GLOBAL_SIGNATURE_LEN && line.trim().ends_with("=="));
    let signature = SignatureBox::from_string(text).ok().filter(|_| is_whole);
    let signature = signature.ok_or_else(malformed)?;
    let id = shown_id(signature.keynum());
    let key = trusted.iter().find(|key| key.id() == id);
    let key = key.ok_or_else(|| format!("there is a signature by the key {id}"))?;
    minisign::verify(&key.0, &signature, Cursor::new(bytes), true, false, false)
        .map(|()| id.clone())
        .map_err(|_| format!("the signature by the key {id} is of something else"))
}

/// A key's name as minisign writes it: its number, little-endian, in hexadecimal.
fn shown_id(keynum: &[u8]) -> String {
    let digits: Vec<String> = keynum.iter().rev().map(|byte| format!("{byte:02X}")).collect();
    digits.concat()
}

/// Makes the closure that `map_err` wants around signing.
fn signing(action: &'static str) -> impl FnOnce(minisign::PError) -> OciError {
    move |source| OciError::Signing { action, source }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PublicKey({})", self.id())
    }
}

impl fmt::Debug for SigningKey {
    /// Leaves out the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "SigningKey({})", self.id())
    }
}

impl fmt::Debug for KeyTexts {
    /// Leaves out the secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "KeyTexts({})", self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(keys: &KeyTexts, bytes: &[u8]) -> String {
        let key = SigningKey::parse(&keys.secret, None, "x").unwrap();
        let signature = minisign::sign(None, &key.0, Cursor::new(bytes), Some("c"), None);
        signature.unwrap().into_string()
    }

    #[test]
    fn a_signature_is_by_a_trusted_key_over_these_bytes_or_worth_nothing() {
        let (ours, theirs) = (
            KeyTexts::generate(None).unwrap(),
            KeyTexts::generate(None).unwrap(),
        );
        let trusted = [PublicKey::parse(&ours.public, "x").unwrap()];
        let good = signed(&ours, b"manifest");
        assert_eq!(verify(&good, b"manifest", &trusted), Ok(ours.id.clone()));
        let id = &ours.id;
        let other = format!("the signature by the key {id} is of something else");
        assert_eq!(verify(&good, b"manifesto", &trusted), Err(other.clone()));
        assert_eq!(
            verify(&good.replace("comment: c", "comment: d"), b"manifest", &trusted),
            Err(other)
        );
        let foreign = Err(format!("there is a signature by the key {}", theirs.id));
        assert_eq!(
            verify(&signed(&theirs, b"manifest"), b"manifest", &trusted),
            foreign
        );
        let key_line = ours.public.lines().nth(1).unwrap();
        assert!(PublicKey::is_key(key_line));
        assert_eq!(PublicKey::parse(key_line, "x").unwrap().id(), ours.id);
    }

    #[test]
    fn damaged_signatures_and_keys_are_refused() {
        let keys = KeyTexts::generate(None).unwrap();
        let trusted = [PublicKey::parse(&keys.public, "x").unwrap()];
        let good = signed(&keys, b"manifest");
        for length in 0..good.len() - 1 {
            assert!(
                verify(&good[..length], b"manifest", &trusted).is_err(),
                "{length}"
            );
        }
        let last = good.lines().last().unwrap();
        for shorter in ["", "AA==", &format!("{}==", "A".repeat(84))] {
            verify(&good.replace(last, shorter), b"manifest", &trusted).unwrap_err();
        }
        for (place, _) in keys.public.char_indices() {
            drop(PublicKey::parse(&keys.public[..place], "x"));
            drop(SigningKey::parse(&keys.secret[..place], None, "x"));
        }
        PublicKey::parse("", "x").unwrap_err();
        SigningKey::parse(&keys.public, None, "x").unwrap_err();
    }

    #[test]
    fn an_encrypted_key_wants_its_password() {
        let keys = KeyTexts::generate(Some("secret")).unwrap();
        let id = |password| SigningKey::parse(&keys.secret, password, "lab.key").map(|key| key.id());
        assert_eq!(id(Some("secret")).unwrap(), keys.id);
        assert_eq!(
            id(None).unwrap_err().to_string(),
            "the key `lab.key` is encrypted"
        );
        id(Some("wrong")).unwrap_err();
    }
}
