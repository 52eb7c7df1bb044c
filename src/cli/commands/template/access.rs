//! How the user wants registries to be spoken to: options, and the files that `docker login` and its kin write.

use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::super::super::error::CommandError;
use super::super::Context;
use crate::base::{PathError, process};
use crate::template::{Access, AuthFile, Credentials, Reference, StoredCredentials};

/// The longest password from standard input.
const PASSWORD_MAX: u64 = 64 << 10;

/// What `push` and `pull` both take.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Registry")]
pub(super) struct AccessArgs {
    /// Speak HTTP without TLS to a registry that is not on this machine
    #[arg(long)]
    plain_http: bool,
    /// Trust the certificates in this PEM file, too
    #[arg(long, value_name = "FILE")]
    ca_file: Option<PathBuf>,
    /// Log in as this user [default: who `docker login` or `skopeo login` says]
    #[arg(long, value_name = "USER", requires = "password_stdin")]
    username: Option<String>,
    /// Take the password from standard input
    #[arg(long, requires = "username")]
    password_stdin: bool,
}

impl AccessArgs {
    /// Gathers what is needed to speak to the registry of `reference`.
    pub(super) fn access(
        &self,
        reference: &Reference,
        context: &Context<'_>,
    ) -> Result<Access, CommandError> {
        let credentials = match &self.username {
            Some(user) => Some(Credentials::Password {
                user: user.clone(),
                password: password_from(&mut io::stdin().lock())?,
            }),
            None => stored(reference.credentials_key(), context)?,
        };
        let variable = |name: &str| context.environment.variables.get(name);
        Ok(Access {
            plain_http: self.plain_http,
            credentials,
            proxy: crate::template::HttpProxy::try_from_env(),
            extra_certificates: self.ca_file.clone(),
            system_certificates: variable("SSL_CERT_FILE").map(PathBuf::from),
        })
    }
}

/// The first line of `input`.
fn password_from(input: &mut impl io::Read) -> Result<String, CommandError> {
    let mut text = String::new();
    input
        .take(PASSWORD_MAX)
        .read_to_string(&mut text)
        .map_err(|error| CommandError::work(format!("cannot read the password: {error}")))?;
    let password = text.lines().next().unwrap_or_default();
    if password.is_empty() {
        return Err(CommandError::usage("there is no password on standard input"));
    }
    Ok(password.to_owned())
}

/// The password in the file at `path`.
pub(super) fn password_in(path: &Path) -> Result<String, CommandError> {
    let mut file = fs::File::open(path).map_err(PathError::on("open", path))?;
    password_from(&mut file)
}

/// The user's own credentials for `registry`, where they have any.
fn stored(registry: &str, context: &Context<'_>) -> Result<Option<Credentials>, CommandError> {
    for path in auth_files(context) {
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
                ) =>
            {
                continue;
            }
            Err(error) => return Err(PathError::on("read", &path)(error).into()),
        };
        let file = AuthFile::parse(&text).map_err(|error| {
            CommandError::work(format!("cannot understand `{}`: {error}", path.display()))
        })?;
        match file.find(registry) {
            Some(StoredCredentials::Here(credentials)) => return Ok(Some(credentials)),
            Some(StoredCredentials::With { helper, server }) => {
                if let Some(credentials) = ask_helper(&helper, &server, context)? {
                    return Ok(Some(credentials));
                }
            }
            None => {}
        }
    }
    Ok(None)
}

/// Where credentials may lie, those that go before others first.
fn auth_files(context: &Context<'_>) -> Vec<PathBuf> {
    let directory = |name: &str| context.environment.variables.get(name).map(PathBuf::from);
    let home = context.environment.home.as_ref();
    let docker = directory("DOCKER_CONFIG").or_else(|| home.map(|home| home.join(".docker")));
    [
        directory("REGISTRY_AUTH_FILE"),
        directory("XDG_RUNTIME_DIR").map(|run| run.join("containers/auth.json")),
        docker.map(|docker| docker.join("config.json")),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the program `docker-credential-HELPER` has for `server`.
fn ask_helper(
    helper: &str,
    server: &str,
    context: &Context<'_>,
) -> Result<Option<Credentials>, CommandError> {
    let program = format!("docker-credential-{helper}");
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || "._-".contains(letter);
    let found = process::find(&program, context.environment.search_path.as_ref());
    let path = found.filter(|_| helper.chars().all(is_name)).ok_or_else(|| {
        CommandError::work(format!(
            "`{program}` is not installed, which has the credentials for `{server}`"
        ))
        .hint("install it, or give --username and --password-stdin")
    })?;
    let failed = |error: io::Error| CommandError::work(format!("cannot ask `{program}`: {error}"));
    let mut child = Command::new(path)
        .arg("get")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(failed)?;
    if let Some(mut input) = child.stdin.take() {
        // One that does not read what is asked for answers that it has nothing.
        drop(input.write_all(server.as_bytes()));
    }
    let output = child.wait_with_output().map_err(failed)?;
    Ok(output
        .status
        .success()
        .then(|| Credentials::of_helper(&String::from_utf8_lossy(&output.stdout)))
        .flatten())
}
