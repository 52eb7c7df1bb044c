//! How a registry is spoken to: with whose credentials, over which proxy, trusting whose certificates.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ureq::config::RedirectAuthHeaders;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use super::error::OciError;
use crate::base::PathError;

/// Where systems keep the certificates that everybody trusts: Debian and Alpine, Red Hat, SUSE, others.
const SYSTEM_CERTIFICATES: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
];

/// How long a connection may take, and how long nothing may come over one.
const SILENCE: Duration = Duration::from_mins(1);

/// How often a registry may send us elsewhere.
const REDIRECTS_MAX: u32 = 5;

/// How a registry is spoken to.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// Speak without TLS to a registry that is not on this machine.
    pub plain_http: bool,
    /// Who asks; nobody in particular if `None`.
    pub credentials: Option<Credentials>,
    /// What stands between here and there.
    pub proxy: Option<ureq::Proxy>,
    /// A file of certificates to trust, beside those of the system.
    pub extra_certificates: Option<PathBuf>,
    /// A file of certificates to trust instead of those of the system.
    pub system_certificates: Option<PathBuf>,
}

/// Who asks.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// A user with a password.
    Password {
        /// The user's name.
        user: String,
        /// The password.
        password: String,
    },
    /// A token that tokens for single tasks are given for.
    IdentityToken(String),
}

impl fmt::Debug for Credentials {
    /// Leaves out what nobody should read.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Password { user, .. } => write!(formatter, "Password({user})"),
            Self::IdentityToken(_) => formatter.write_str("IdentityToken"),
        }
    }
}

/// Makes what sends requests. With `is_tls` nothing is ever sent without TLS, wherever the registry redirects to.
pub(super) fn agent(access: &Access, is_tls: bool, is_local: bool) -> Result<ureq::Agent, OciError> {
    let certificates = if is_tls { certificates(access)? } else { Vec::new() };
    let tls = TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .root_certs(RootCerts::Specific(Arc::new(certificates)))
        .build();
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .https_only(is_tls)
        .proxy(access.proxy.clone().filter(|_| !is_local))
        .max_redirects(REDIRECTS_MAX)
        // A registry hands out blobs by sending to somebody else's server, who must not see whose the request is.
        .redirect_auth_headers(RedirectAuthHeaders::SameHost)
        .user_agent(concat!("mln-image/", env!("CARGO_PKG_VERSION")))
        .timeout_resolve(Some(SILENCE))
        .timeout_connect(Some(SILENCE))
        .timeout_per_read(Some(SILENCE))
        .timeout_per_write(Some(SILENCE))
        .tls_config(tls)
        .build();
    Ok(config.new_agent())
}

/// The certificates to trust.
fn certificates(access: &Access) -> Result<Vec<Certificate<'static>>, OciError> {
    let system = match &access.system_certificates {
        Some(path) => Some(path.as_path()),
        None => SYSTEM_CERTIFICATES
            .map(Path::new)
            .into_iter()
            .find(|path| path.is_file()),
    };
    let mut found = Vec::new();
    for path in [system, access.extra_certificates.as_deref()]
        .into_iter()
        .flatten()
    {
        let text = fs::read(path).map_err(PathError::on("read", path))?;
        let before = found.len();
        found.extend(parse_pem(&text).filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        }));
        if found.len() == before {
            return Err(OciError::NoCertificate(path.to_path_buf()));
        }
    }
    Ok(found)
}
