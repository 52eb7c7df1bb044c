//! Passwords hashed for the library that the guest checks them with: crypt(5).
//!
//! libxcrypt knows yescrypt, which most distributions with that library use; glibc's own, musl's and busybox's know
//! SHA-512 at best.

use sha_crypt::{PasswordHasher as _, ShaCrypt};
use yescrypt::CustomizedPasswordHasher as _;

use crate::base::{GuestPath, IdentityKey};
use crate::edit::GuestView;
use crate::guest::error::GuestError;
use crate::guest::target;
use crate::project::Password;

/// Where libraries lie.
const LIBRARIES: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib/x86_64-linux-gnu",
    "/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/lib64",
    "/usr/lib",
    "/lib",
];

/// Files in which a distribution says by what it hashes.
const METHODS: [&str; 5] = [
    "/etc/login.defs",
    "/etc/pam.d/common-password",
    "/etc/pam.d/system-auth",
    "/etc/pam.d/passwd",
    "/etc/default/passwd",
];

/// A method of hashing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Crypt {
    /// `$y$`
    Yescrypt,
    /// `$6$`
    Sha512,
}

impl Crypt {
    /// The best method that the guest's library surely knows: yescrypt where it is libxcrypt and the distribution
    /// uses that, since early versions of the library do not know it.
    pub(super) fn detect(view: &dyn GuestView) -> Result<Self, GuestError> {
        if has_libxcrypt(view)? {
            for path in METHODS {
                let content = target::read(view, path)?.unwrap_or_default().to_ascii_lowercase();
                if content.windows(8).any(|window| window == b"yescrypt") {
                    return Ok(Self::Yescrypt);
                }
            }
        }
        Ok(Self::Sha512)
    }

    /// The hash for `password`; a plain one gets a salt that follows from the names and the password.
    pub(super) fn hash(self, password: &Password, names: &[&str], key: &IdentityKey) -> String {
        let plain = match password {
            Password::Hash(hash) => return hash.clone(),
            Password::Plain(plain) => plain,
        };
        let names: Vec<&str> = names.iter().copied().chain([plain.as_str()]).collect();
        match self {
            Self::Yescrypt => {
                let salt: [u8; 16] = key.derive("password salt", &names);
                let params = yescrypt::Params::default();
                let hash =
                    yescrypt::Yescrypt::default().hash_password_with_params(plain.as_bytes(), &salt, params);
                hash.expect("yescrypt takes any password with its own default cost")
                    .to_string()
            }
            Self::Sha512 => {
                // Twelve bytes become the sixteen characters that crypt(5) has room for.
                let salt: [u8; 12] = key.derive("password salt", &names);
                let hash = ShaCrypt::SHA512.hash_password_with_salt(plain.as_bytes(), &salt);
                hash.expect("SHA-512 takes any password with its own default cost")
                    .to_string()
            }
        }
    }
}

/// Whether the guest's libcrypt is libxcrypt, which is told by the number in the name of its file.
fn has_libxcrypt(view: &dyn GuestView) -> Result<bool, GuestError> {
    for directory in LIBRARIES {
        for file in ["libcrypt.so.1.1.0", "libcrypt.so.2", "libcrypt.so.2.0.0"] {
            let path = GuestPath::literal(&format!("{directory}/{file}"));
            if view.info(&view.resolve(&path)?)?.is_some() {
                return Ok(true);
            }
        }
    }
    Ok(false)
}
