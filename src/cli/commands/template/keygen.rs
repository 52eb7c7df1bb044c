//! `template keygen`: makes a pair of keys to sign templates with.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::json;

use super::super::super::error::CommandError;
use super::super::Context;
use super::access::password_in;
use crate::base::atomic::{self, Durability};
use crate::base::{AtomicFile, PathError};
use crate::template::{KeyTexts, TemplateError};

/// Make a pair of keys of minisign's form to sign templates with
///
/// The secret key goes into FILE, for its owner alone; the public one, for those who pull, into FILE.pub.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The secret key's file, which must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Encrypt the secret key with the password in this file
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
}

/// Writes both, and prints the line for `mln.conf`.
pub(crate) fn run(arguments: &Args, context: &Context<'_>) -> Result<(), CommandError> {
    let secret = &arguments.file;
    let mut public = secret.clone().into_os_string();
    public.push(".pub");
    let public = PathBuf::from(public);
    for path in [secret, &public] {
        if path.symlink_metadata().is_ok() {
            let there = format!("`{}` exists already", path.display());
            return Err(
                CommandError::usage(there).hint("a key that is replaced makes its signatures worthless")
            );
        }
    }
    let password = arguments.password_file.as_deref().map(password_in).transpose()?;
    let keys = KeyTexts::generate(password.as_deref()).map_err(TemplateError::from)?;
    let file = AtomicFile::create_private(secret)?;
    file.file()
        .write_all(keys.secret.as_bytes())
        .map_err(PathError::on("write", file.temporary_path()))?;
    file.persist(Durability::Sync)?;
    atomic::write(&public, keys.public.as_bytes(), Durability::Sync)?;
    let key = keys.public.lines().nth(1).unwrap_or_default();
    if context.json {
        return context
            .ui
            .answer_json(&json!({ "id": keys.id, "public_key": key }));
    }
    context.ui.answer(&format!("template_key {key}\n"))
}
