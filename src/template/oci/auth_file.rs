//! The file that `docker login`, `skopeo login` and `oras login` write: who one is in which registry
//! (<https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md>).

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde::Deserialize;

use super::access::Credentials;

/// Takes base64 with and without padding.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The user's name by which a helper says that it gives a token.
const TOKEN_USER: &str = "<token>";

/// The content of a file of credentials.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct AuthFile {
    auths: BTreeMap<String, Auth>,
    cred_helpers: BTreeMap<String, String>,
    creds_store: String,
}

/// What such a file has for a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredCredentials {
    /// The credentials themselves.
    Here(Credentials),
    /// The program `docker-credential-NAME` has them, or has none.
    With {
        /// The `NAME`.
        helper: String,
        /// What it knows the registry by.
        server: String,
    },
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    auth: String,
    identitytoken: String,
}

impl std::fmt::Debug for Auth {
    /// Leaves out what nobody should read.
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("Auth")
    }
}

/// A helper's answer.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    username: String,
    secret: String,
}

impl AuthFile {
    /// Reads the file's text.
    pub fn parse(text: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(text)
    }

    /// What the file has for `registry`, its host and port.
    pub fn find(&self, registry: &str) -> Option<StoredCredentials> {
        let servers = names_of(registry);
        let with = |helper: &str, server: &str| StoredCredentials::With {
            helper: helper.to_owned(),
            server: server.to_owned(),
        };
        if let Some((helper, server)) = servers
            .iter()
            .find_map(|server| Some((self.cred_helpers.get(*server)?, server)))
        {
            return Some(with(helper, server));
        }
        let known = servers
            .iter()
            .find_map(|server| Some((self.auths.get(*server)?, server)));
        if let Some(credentials) = known.and_then(|(auth, _)| auth.credentials()) {
            return Some(StoredCredentials::Here(credentials));
        }
        let server = known.map(|(_, server)| *server).or(servers.first().copied());
        server
            .filter(|_| !self.creds_store.is_empty())
            .map(|server| with(&self.creds_store, server))
    }
}

impl Credentials {
    /// The credentials in a helper's answer (<https://github.com/docker/docker-credential-helpers>).
    pub fn of_helper(answer: &str) -> Option<Self> {
        let answer: Answer = serde_json::from_str(answer).ok()?;
        if answer.username == TOKEN_USER {
            return Some(Self::IdentityToken(answer.secret));
        }
        Some(Self::Password {
            user: answer.username,
            password: answer.secret,
        })
    }
}

impl Auth {
    fn credentials(&self) -> Option<Credentials> {
        if !self.identitytoken.is_empty() {
            return Some(Credentials::IdentityToken(self.identitytoken.clone()));
        }
        let decoded = LENIENT.decode(self.auth.trim()).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Credentials::Password {
            user: user.to_owned(),
            password: password.trim_end_matches('\0').to_owned(),
        })
    }
}

/// The names under which credentials for `registry` may be kept.
fn names_of(registry: &str) -> Vec<&str> {
    match registry {
        "docker.io" => vec!["https://index.docker.io/v1/", "docker.io"],
        other => vec![other],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "auths": {
            "127.0.0.1:5000": {"auth": "YWRhOnNlOmNyZXQ="},
            "token.example": {"auth": "YWRhOg", "identitytoken": "t"},
            "stored.example": {},
            "https://index.docker.io/v1/": {"auth": "YWRhOng"}
        },
        "credHelpers": {"helped.example": "pass"},
        "credsStore": "secretservice",
        "experimental": "enabled"
    }"#;

    #[test]
    fn credentials_are_found_by_registry() {
        let file = AuthFile::parse(TEXT).unwrap();
        let password = |password: &str| {
            Some(StoredCredentials::Here(Credentials::Password {
                user: "ada".to_owned(),
                password: password.to_owned(),
            }))
        };
        let with = |helper: &str, server: &str| {
            Some(StoredCredentials::With {
                helper: helper.to_owned(),
                server: server.to_owned(),
            })
        };
        assert_eq!(file.find("127.0.0.1:5000"), password("se:cret"));
        assert_eq!(file.find("docker.io"), password("x"));
        let token = Credentials::IdentityToken("t".to_owned());
        assert_eq!(file.find("token.example"), Some(StoredCredentials::Here(token)));
        assert_eq!(file.find("helped.example"), with("pass", "helped.example"));
        assert_eq!(
            file.find("stored.example"),
            with("secretservice", "stored.example")
        );
        assert_eq!(AuthFile::parse("{}").unwrap().find("docker.io"), None);
        AuthFile::parse("3").unwrap_err();
    }

    #[test]
    fn helpers_give_passwords_or_tokens() {
        let answer = r#"{"ServerURL":"x","Username":"ada","Secret":"s"}"#;
        let password = Credentials::Password {
            user: "ada".to_owned(),
            password: "s".to_owned(),
        };
        assert_eq!(Credentials::of_helper(answer), Some(password));
        let token = answer.replace("ada", "<token>");
        let expected = Some(Credentials::IdentityToken("s".to_owned()));
        assert_eq!(Credentials::of_helper(&token), expected);
        assert_eq!(Credentials::of_helper("credentials not found"), None);
    }
}
