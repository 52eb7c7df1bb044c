//! `template push`: sends a template to a registry.

use std::fs;
use std::path::{Path, PathBuf};

use super::super::super::error::CommandError;
use super::super::Context;
use super::access::{AccessArgs, password_in};
use crate::base::PathError;
use crate::template::{PushOrder, Reference, SigningKey, Store, TemplateError};

/// Send a template to an OCI registry
///
/// It lies there beside container images, compressed and in chunks: only chunks that the registry lacks are sent, so that
/// a push that was cut off goes on, and a new version takes what has changed.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The template, such as debian-12.ext3 for the newest one or debian-12-V1.0.ext3
    #[arg(value_name = "NAME")]
    name: String,
    /// Where to, such as registry.example.org/lab/debian-12 or localhost:5000/debian-12:1.0; without a tag it gets its
    /// version's and `latest`
    #[arg(value_name = "REGISTRY/REPOSITORY[:TAG]")]
    to: Reference,
    /// Sign it with this secret key of minisign (`template keygen` makes one)
    #[arg(long, value_name = "KEYFILE")]
    sign: Option<PathBuf>,
    /// The file with the password of the secret key
    #[arg(long, value_name = "FILE", requires = "sign")]
    sign_password_file: Option<PathBuf>,
    #[command(flatten)]
    access: AccessArgs,
}

/// Sends, and prints where the template can be had by its digest.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let key = match &arguments.sign {
        Some(path) => Some(signing_key(path, arguments.sign_password_file.as_deref())?),
        None => None,
    };
    let order = PushOrder {
        name: arguments.name.clone(),
        access: arguments.access.access(&arguments.to, context)?,
        to: arguments.to.clone(),
        key,
    };
    let pushed = store.push(&order, &*super::reporter(context))?;
    if context.json {
        return context.ui.answer_json(&pushed);
    }
    context.ui.answer(&format!("{}\n", pushed.reference))
}

fn signing_key(path: &Path, password_file: Option<&Path>) -> Result<SigningKey, CommandError> {
    let text = fs::read_to_string(path).map_err(PathError::on("read", path))?;
    let password = password_file.map(password_in).transpose()?;
    let key = SigningKey::parse(&text, password.as_deref(), &path.display().to_string());
    Ok(key.map_err(TemplateError::from)?)
}
