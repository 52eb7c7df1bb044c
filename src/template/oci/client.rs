//! Requests to one repository of a registry: authorized, tried again where that helps, and never longer than allowed
//! (<https://github.com/opencontainers/distribution-spec/blob/main/spec.md>).

use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ureq::Body;
use ureq::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, WWW_AUTHENTICATE};
use ureq::http::{Method, Request, Response, StatusCode, Uri};

use super::access::{Access, Credentials, agent};
use super::error::{OciError, is_passing_status};
use super::host::{host_of, is_loopback};
use super::reached::{is_distrust, is_refusal};
use super::reference::Reference;
use super::token::{self, Challenge};
use crate::base::ByteSize;

/// How often something is tried that might go well a moment later.
pub(super) const TRIES: u32 = 4;

/// How long the first wait between two tries is; each further one is four times as long.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// How much of a registry's own words about a failure is read, and shown.
const WORDS_MAX: u64 = 16 << 10;
const WORDS_SHOWN: usize = 300;

/// A repository of a registry, and the right to use it.
#[derive(Debug)]
pub(super) struct Client {
    agent: ureq::Agent,
    /// Scheme, host and port.
    origin: String,
    reference: Reference,
    credentials: Option<Credentials>,
    /// What is going to be done: `pull`, or `pull,push`.
    actions: &'static str,
    authorization: Mutex<Option<String>>,
}

/// One request.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: String,
    pub(super) accept: Option<&'static str>,
    pub(super) content_type: Option<&'a str>,
    pub(super) body: Option<&'a [u8]>,
    /// What it is for, as the end of a sentence.
    pub(super) action: &'static str,
}

impl<'a> Ask<'a> {
    /// A request without a body.
    pub(super) fn new(method: Method, url: String, action: &'static str) -> Self {
        Self {
            method,
            url,
            accept: None,
            content_type: None,
            body: None,
            action,
        }
    }

    /// The same with a body.
    pub(super) fn with_body(self, content_type: &'a str, body: &'a [u8]) -> Self {
        Self {
            content_type: Some(content_type),
            body: Some(body),
            ..self
        }
    }
}

impl Client {
    /// Finds out how the registry of `reference` is spoken to, and gets the right for `actions` there.
    pub(super) fn connect(
        reference: &Reference,
        access: &Access,
        actions: &'static str,
    ) -> Result<Self, OciError> {
        let is_local = is_loopback(reference.registry());
        let client = |is_tls: bool| -> Result<Self, OciError> {
            let scheme = if is_tls { "https" } else { "http" };
            Ok(Self {
                agent: agent(access, is_tls, is_local)?,
                origin: format!("{scheme}://{}", host_of(reference.registry())),
                reference: reference.clone(),
                credentials: access.credentials.clone(),
                actions,
                authorization: Mutex::new(None),
            })
        };
        if access.plain_http {
            return client(false)?.greeted();
        }
        match client(true)?.greeted() {
            // What stays on this machine may do without TLS, unless there is TLS that cannot be trusted, or nothing.
            Err(OciError::Unreachable { source, .. })
                if is_local && !is_distrust(&source) && !is_refusal(&source) =>
            {
                client(false)?.greeted()
            }
            other => other,
        }
    }

    /// Asks whether a registry is there, and gets the right to go on.
    fn greeted(self) -> Result<Self, OciError> {
        let ask = Ask::new(Method::GET, format!("{}/v2/", self.origin), "when greeted");
        let answer = self.tried(&ask)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED => self.authorize(&answer)?,
            status => {
                return Err(OciError::NoRegistry {
                    registry: self.reference.registry().to_owned(),
                    status: status.as_u16(),
                });
            }
        }
        Ok(self)
    }

    /// The repository's URL with `rest` behind it.
    pub(super) fn url(&self, rest: &str) -> String {
        format!("{}/v2/{}/{rest}", self.origin, self.reference.repository())
    }

    /// The URL that `location`, which the registry sent, stands for.
    pub(super) fn located(&self, location: &str) -> String {
        if location.starts_with('/') {
            format!("{}{location}", self.origin)
        } else {
            location.to_owned()
        }
    }

    /// Sends `ask`; gives the answer if its code is one of `expected`.
    pub(super) fn send(&self, ask: &Ask<'_>, expected: &[StatusCode]) -> Result<Response<Body>, OciError> {
        let mut answer = self.tried(ask)?;
        if answer.status() == StatusCode::UNAUTHORIZED {
            // The right that we had may have run out.
            self.authorize(&answer)?;
            answer = self.tried(ask)?;
        }
        match answer.status() {
            status if expected.contains(&status) => Ok(answer),
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.unauthorized()),
            status => Err(OciError::Status {
                status: status.as_u16(),
                action: ask.action,
                message: words(answer),
            }),
        }
    }

    /// Sends `ask` until there is an answer that another try would not change.
    fn tried(&self, ask: &Ask<'_>) -> Result<Response<Body>, OciError> {
        again(|is_last| {
            let answer = self.once(ask)?;
            let status = answer.status().as_u16();
            if is_passing_status(status) && !is_last {
                return Err(OciError::Status {
                    status,
                    action: ask.action,
                    message: String::new(),
                });
            }
            Ok(answer)
        })
    }

    fn once(&self, ask: &Ask<'_>) -> Result<Response<Body>, OciError> {
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.url);
        let authorization = self.authorization();
        if let Some(authorization) = authorization.filter(|_| self.is_own(&ask.url)) {
            request = request.header(AUTHORIZATION, authorization);
        }
        for (name, value) in [(ACCEPT, ask.accept), (CONTENT_TYPE, ask.content_type)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        let malformed = |_| OciError::Protocol(format!("it sends to `{}`", ask.url));
        let answer = match ask.body {
            Some(body) => self.agent.run(request.body(body).map_err(malformed)?),
            None => self.agent.run(request.body(()).map_err(malformed)?),
        };
        answer.map_err(|source| self.unreachable(source))
    }

    /// Gets the right that `answer` asks for.
    fn authorize(&self, answer: &Response<Body>) -> Result<(), OciError> {
        let headers = answer.headers().get_all(WWW_AUTHENTICATE);
        let challenges = headers.into_iter().filter_map(|value| value.to_str().ok());
        let challenge = Challenge::strongest(challenges)
            .ok_or_else(|| OciError::Protocol("it does not say how to log in".to_owned()))?;
        let authorization = match challenge {
            Challenge::Basic => self.basic().ok_or_else(|| self.unauthorized())?,
            Challenge::Bearer { realm, service } => self.bearer(&realm, service.as_deref())?,
        };
        *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = Some(authorization);
        Ok(())
    }

    /// The header of who asks by name and password.
    fn basic(&self) -> Option<String> {
        match self.credentials.as_ref()? {
            Credentials::Password { user, password } => Some(token::basic(user, password)),
            Credentials::IdentityToken(_) => None,
        }
    }

    /// Gets a token from `realm` (<https://distribution.github.io/distribution/spec/auth/token/>).
    fn bearer(&self, realm: &str, service: Option<&str>) -> Result<String, OciError> {
        if !realm.starts_with("https://") && self.origin.starts_with("https://") {
            return Err(OciError::UnsafeRealm {
                registry: self.reference.registry().to_owned(),
                realm: realm.to_owned(),
            });
        }
        let answer = self.ask_for_token(realm, service)?;
        match answer.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.unauthorized()),
            status => {
                return Err(OciError::Status {
                    status: status.as_u16(),
                    action: "when asked for a token",
                    message: words(answer),
                });
            }
        }
        let bytes = read_all(answer, token::ANSWER_MAX, "answer with a token")?;
        token::of_answer(&bytes)
            .map(|token| format!("Bearer {token}"))
            .ok_or_else(|| OciError::Protocol("there is no token in it".to_owned()))
    }

    /// The answer of `realm`: to a stored token, a name and password, or to nobody in particular.
    fn ask_for_token(&self, realm: &str, service: Option<&str>) -> Result<Response<Body>, OciError> {
        let scope = format!("repository:{}:{}", self.reference.repository(), self.actions);
        let malformed = |_| OciError::Protocol(format!("tokens come from `{realm}`"));
        let answer = if let Some(Credentials::IdentityToken(refresh)) = &self.credentials {
            let request = Request::post(realm).header(CONTENT_TYPE, "application/x-www-form-urlencoded");
            let form = token::refresh_form(refresh, service, &scope);
            self.agent.run(request.body(form).map_err(malformed)?)
        } else {
            let mut request = Request::get(token::url(realm, service, &scope));
            if let Some(basic) = self.basic() {
                request = request.header(AUTHORIZATION, basic);
            }
            self.agent.run(request.body(()).map_err(malformed)?)
        };
        answer.map_err(|source| self.unreachable(source))
    }

    fn authorization(&self) -> Option<String> {
        self.authorization
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Whether `url` leads to the registry itself.
    fn is_own(&self, url: &str) -> bool {
        let place = |text: &str| -> Option<(String, String)> {
            let uri: Uri = text.parse().ok()?;
            Some((uri.scheme_str()?.to_owned(), uri.authority()?.as_str().to_owned()))
        };
        place(url).is_some_and(|found| Some(found) == place(&self.origin))
    }

    fn unauthorized(&self) -> OciError {
        OciError::Unauthorized {
            registry: self.reference.registry().to_owned(),
            repository: self.reference.repository().to_owned(),
            user: match &self.credentials {
                None => "an unnamed user".to_owned(),
                Some(Credentials::Password { user, .. }) => format!("`{user}`"),
                Some(Credentials::IdentityToken(_)) => "the owner of the stored token".to_owned(),
            },
        }
    }

    fn unreachable(&self, source: ureq::Error) -> OciError {
        OciError::Unreachable {
            registry: self.reference.registry().to_owned(),
            source: Box::new(source),
        }
    }
}

/// Does `work` until it succeeds, fails for good, or has failed too often; it is told whether this is the last try.
pub(super) fn again<T>(mut work: impl FnMut(bool) -> Result<T, OciError>) -> Result<T, OciError> {
    let mut wait = FIRST_WAIT;
    for _ in 1..TRIES {
        match work(false) {
            Err(error) if error.is_passing() => thread::sleep(wait),
            other => return other,
        }
        wait = wait.saturating_mul(4);
    }
    work(true)
}

/// The whole body of `answer`, which may have `limit_bytes`.
pub(super) fn read_all(
    answer: Response<Body>,
    limit_bytes: u64,
    what: &'static str,
) -> Result<Vec<u8>, OciError> {
    let mut bytes = Vec::new();
    body(answer)
        .take(limit_bytes.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(OciError::broken("while its answer was read"))?;
    if u64::try_from(bytes.len()).is_ok_and(|len| len <= limit_bytes) {
        return Ok(bytes);
    }
    Err(OciError::TooLong {
        what,
        limit: ByteSize(limit_bytes),
    })
}

/// The body of `answer`, for whoever counts what they read.
pub(super) fn body(answer: Response<Body>) -> impl Read {
    answer.into_body().into_with_config().limit(u64::MAX).reader()
}

/// What a registry says about a failure, made fit for a terminal.
fn words(answer: Response<Body>) -> String {
    let mut bytes = Vec::new();
    // Whoever fails may fail to say why.
    drop(body(answer).take(WORDS_MAX).read_to_end(&mut bytes));
    let said = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let messages: Vec<String> = said
        .iter()
        .filter_map(|said| said["errors"].as_array())
        .flatten()
        .filter_map(|error| error["message"].as_str().map(str::to_owned))
        .collect();
    let is_shown = |letter: &char| !letter.is_control();
    messages
        .join(", ")
        .chars()
        .filter(is_shown)
        .take(WORDS_SHOWN)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fails_in_passing_is_tried_again_and_the_rest_is_not() {
        let status = |status| OciError::Status {
            status,
            action: "now",
            message: String::new(),
        };
        let mut calls = 0;
        let passing: Result<(), OciError> = again(|_| {
            calls += 1;
            Err(status(503))
        });
        assert!(passing.is_err());
        assert_eq!(calls, TRIES);
        let lasting: Result<(), OciError> = again(|_| {
            calls += 1;
            Err(status(400))
        });
        assert!(lasting.is_err());
        assert_eq!(calls, TRIES + 1);
    }
}
