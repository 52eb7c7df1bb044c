//! How a registry wants to be told who asks: by name and password, or by a token that somebody else gives
//! (<https://distribution.github.io/distribution/spec/auth/token/>, <https://www.rfc-editor.org/rfc/rfc9110#section-11>).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

/// The longest answer with a token.
pub(super) const ANSWER_MAX: u64 = 256 << 10;

/// What a registry asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// A name and a password.
    Basic,
    /// A token.
    Bearer {
        /// The URL where tokens are given.
        realm: String,
        /// What the token is for, as the giver calls it.
        service: Option<String>,
    },
}

/// The giver's answer; the second name is OAuth's.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

impl Challenge {
    /// The one of `headers` that gives away least: a token rather than a password.
    pub(super) fn strongest<'a>(headers: impl Iterator<Item = &'a str>) -> Option<Self> {
        let known: Vec<Self> = headers.filter_map(Self::parse).collect();
        let bearer = known.iter().find(|challenge| **challenge != Self::Basic);
        bearer.or(known.first()).cloned()
    }

    fn parse(header: &str) -> Option<Self> {
        let (scheme, rest) = header.trim().split_once(' ').unwrap_or((header.trim(), ""));
        if scheme.eq_ignore_ascii_case("basic") {
            return Some(Self::Basic);
        }
        if !scheme.eq_ignore_ascii_case("bearer") {
            return None;
        }
        let named = parameters(rest);
        let value = |wanted: &str| {
            let found = named.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted));
            found.map(|(_, value)| value.clone())
        };
        Some(Self::Bearer {
            realm: value("realm")?,
            service: value("service"),
        })
    }
}

/// The `name="value"` pairs of a challenge.
fn parameters(mut text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    while let Some((name, rest)) = text.split_once('=') {
        let (value, after) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => quoted_string(quoted),
            None => match rest.split_once(',') {
                Some((value, after)) => (value.trim().to_owned(), after),
                None => (rest.trim().to_owned(), ""),
            },
        };
        let name = name.trim_matches(|sign: char| sign == ',' || sign.is_whitespace());
        found.push((name.to_owned(), value));
        text = after;
    }
    found
}

/// The string that ends at the next quotation mark, and what comes after it.
fn quoted_string(text: &str) -> (String, &str) {
    let mut value = String::new();
    let mut signs = text.char_indices();
    while let Some((place, sign)) = signs.next() {
        match sign {
            '"' => return (value, text.get(place + 1..).unwrap_or_default()),
            '\\' => value.extend(signs.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

/// The header of `user` with `password`.
pub(super) fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
}

/// Where a token for `scope` is given.
pub(super) fn url(realm: &str, service: Option<&str>, scope: &str) -> String {
    let mark = if realm.contains('?') { '&' } else { '?' };
    let service = service.map(|service| format!("service={}&", encoded(service)));
    format!(
        "{realm}{mark}{}scope={}",
        service.unwrap_or_default(),
        encoded(scope)
    )
}

/// What is sent to get a token for `scope` for a stored one.
pub(super) fn refresh_form(refresh: &str, service: Option<&str>, scope: &str) -> String {
    format!(
        "grant_type=refresh_token&client_id=mln-image&service={}&scope={}&refresh_token={}",
        encoded(service.unwrap_or_default()),
        encoded(scope),
        encoded(refresh)
    )
}

/// The token in the giver's answer, if it is one that a header can hold.
pub(super) fn of_answer(bytes: &[u8]) -> Option<String> {
    let answer: Answer = serde_json::from_slice(bytes).ok()?;
    let token = answer.token.or(answer.access_token)?;
    (!token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic())).then_some(token)
}

/// `text` with everything but unreserved characters percent-encoded (<https://www.rfc-editor.org/rfc/rfc3986#section-2.3>).
fn encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn challenges_are_understood_and_a_token_is_preferred() {
        let bearer =
            r#"Bearer realm="https://auth.example/token?x=1",service="a \"b\", c",scope="repository:x:pull""#;
        let expected = Challenge::Bearer {
            realm: "https://auth.example/token?x=1".to_owned(),
            service: Some("a \"b\", c".to_owned()),
        };
        assert_eq!(Challenge::strongest([bearer].into_iter()), Some(expected.clone()));
        let both = ["basic realm=\"x\"", bearer];
        assert_eq!(Challenge::strongest(both.into_iter()), Some(expected));
        assert_eq!(
            Challenge::strongest(["Basic"].into_iter()),
            Some(Challenge::Basic)
        );
        for odd in [
            "",
            "Negotiate",
            "Bearer",
            "Bearer realm",
            "Bearer service=\"x",
            "Bearer ===,,,",
        ] {
            assert_eq!(Challenge::strongest([odd].into_iter()), None, "{odd}");
        }
        let bare = Challenge::strongest(["Bearer realm=https://a , service=b"].into_iter());
        let expected = Challenge::Bearer {
            realm: "https://a".to_owned(),
            service: Some("b".to_owned()),
        };
        assert_eq!(bare, Some(expected));
    }

    #[test]
    fn a_token_is_asked_for_and_found() {
        assert_eq!(
            url("https://a/t", Some("r e"), "repository:x/y:pull,push"),
            "https://a/t?service=r%20e&scope=repository%3Ax%2Fy%3Apull%2Cpush"
        );
        assert_eq!(url("https://a/t?b", None, "s"), "https://a/t?b&scope=s");
        assert_eq!(
            basic("Aladdin", "open sesame"),
            "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=="
        );
        assert_eq!(of_answer(br#"{"token":"a.b"}"#).as_deref(), Some("a.b"));
        assert_eq!(of_answer(br#"{"access_token":"c"}"#).as_deref(), Some("c"));
        for wrong in ["", "{}", r#"{"token":"a\nb"}"#, r#"{"token":""}"#] {
            assert_eq!(of_answer(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
