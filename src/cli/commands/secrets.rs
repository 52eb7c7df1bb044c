//! What must not stand in a project's text: the secret that identities follow from, and passwords.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::error::CommandError;
use super::Context;
use crate::bake::{BakeError, Identity, IdentitySource};
use crate::base::{IdentityKey, PathError, Sourced};
use crate::project::{Host, Password, Project};
use crate::store::Projects;

/// The longest secret or password that is read from a file, in bytes.
const LIMIT_BYTES: u64 = 64 << 10;
/// The shortest secret that is taken, in bytes: shorter ones can be guessed.
const SHORTEST_SECRET_BYTES: usize = 16;

/// Where secrets come from.
#[derive(Debug, clap::Args)]
pub(crate) struct SecretArgs {
    /// Derive machine-ids, ssh host keys and hardware addresses from the secret in FILE, so that every bake has the
    /// same; else the first bake draws a secret and keeps it beside the images
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
    /// Give USER the password in the first line of FILE; may be given again
    #[arg(long = "password-file", value_name = "USER=FILE", value_parser = pair)]
    password_files: Vec<(String, String)>,
    /// Give USER the password in the environment variable VAR; may be given again
    #[arg(long = "password-env", value_name = "USER=VAR", value_parser = pair)]
    password_variables: Vec<(String, String)>,
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((user, place)) if !user.is_empty() && !place.is_empty() => {
            Ok((user.to_owned(), place.to_owned()))
        }
        _ => Err("it has to have the form USER=PLACE".to_owned()),
    }
}

impl SecretArgs {
    /// The key of the project's identities: from the command line's secret, the project's, an earlier bake, or drawn.
    pub(crate) fn identity(&self, project: &Project, projects: &Projects) -> Result<Identity, CommandError> {
        let named = match (&self.secret_file, &project.secret) {
            (Some(file), _) => Some(file.clone()),
            (None, Some(secret)) => {
                let beside = Path::new(&*secret.origin.file).parent().unwrap_or(Path::new(""));
                Some(beside.join(&secret.value))
            }
            (None, None) => None,
        };
        if let Some(file) = named {
            let secret = read(&file)?;
            if secret.trim_ascii().len() < SHORTEST_SECRET_BYTES {
                let error = CommandError::usage(format!(
                    "the secret in `{}` is shorter than {SHORTEST_SECRET_BYTES} bytes",
                    file.display()
                ));
                let way = format!(
                    "make one by: head -c 32 /dev/urandom | base64 >{}",
                    file.display()
                );
                return Err(error.hint(way));
            }
            return Ok(Identity {
                key: IdentityKey::from_secret(secret.trim_ascii()),
                source: IdentitySource::Secret,
            });
        }
        let mut bytes = [0; IdentityKey::LEN_BYTES];
        let mut filled = 0;
        while filled < bytes.len() {
            filled += rustix::rand::getrandom(&mut bytes[filled..], rustix::rand::GetRandomFlags::empty())
                .map_err(|error| CommandError::work(std::io::Error::from(error)))?;
        }
        let places = projects.project(&project.name).map_err(CommandError::work)?;
        Identity::kept_or(&places, IdentityKey::from_bytes(bytes)).map_err(|error| match error {
            BakeError::BadIdentity { .. } => CommandError::work(error)
                .hint("remove it, and the next bake gives every host another identity"),
            error => CommandError::work(error),
        })
    }

    /// Puts the passwords of the command line into the accounts of every host that has them.
    pub(crate) fn set_passwords(
        &self,
        project: &mut Project,
        context: &Context<'_>,
    ) -> Result<(), CommandError> {
        for (user, file) in &self.password_files {
            let content = read(Path::new(file))?;
            let line = content.split(|byte| *byte == b'\n').next().unwrap_or_default();
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let password = String::from_utf8(line.to_vec())
                .map_err(|_| CommandError::usage(format!("the password in `{file}` is not UTF-8")))?;
            set_password(
                project,
                user,
                &password,
                &format!("--password-file {user}={file}"),
            )?;
        }
        for (user, variable) in &self.password_variables {
            let password = context.environment.variables.get(variable).ok_or_else(|| {
                CommandError::usage(format!("the environment variable `{variable}` is not set"))
            })?;
            let origin = format!("--password-env {user}={variable}");
            set_password(project, user, password, &origin)?;
        }
        Ok(())
    }
}

/// Gives `user` the password on every host that has the account; `root` is everywhere.
fn set_password(project: &mut Project, user: &str, password: &str, origin: &str) -> Result<(), CommandError> {
    if password.is_empty() {
        return Err(CommandError::usage(format!(
            "the password for `{user}` is empty (`{origin}`)"
        )));
    }
    let has_user = |host: Host| host.users.iter().any(|account| account.value.name == user);
    if user == "root" || project.hosts.iter().any(has_user) {
        let (user, password) = (user.to_owned(), Password::Plain(password.to_owned()));
        let of_root = Sourced::implied(password.clone(), origin);
        project.hosts.alter(move |host| {
            if user == "root" {
                host.root_password = Some(of_root.clone());
            }
            for account in host.users.iter_mut().filter(|account| account.value.name == user) {
                account.value.password = Some(password.clone());
            }
        });
        return Ok(());
    }
    let error = CommandError::usage(format!("no host of the project has a user `{user}`"));
    Err(error.hint(format!("write the account into the project: users {{ {user} }}")))
}

/// A small file as a whole.
fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    use std::io::Read as _;
    let failed = |action| move |error| CommandError::usage(PathError::on(action, path)(error));
    let mut content = Vec::new();
    let file = fs::File::open(path).map_err(failed("open"))?;
    file.take(LIMIT_BYTES)
        .read_to_end(&mut content)
        .map_err(failed("read"))?;
    Ok(content)
}
