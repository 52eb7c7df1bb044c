//! `template pull`: fetches a template from a registry.

use std::fs;

use super::super::super::error::CommandError;
use super::super::Context;
use super::access::AccessArgs;
use crate::base::{PathError, Timestamp};
use crate::template::{PublicKey, PullOrder, Reference, Store, TemplateError, TemplateName};

/// Fetch a template from an OCI registry
///
/// Only chunks that are not here are fetched: a pull that was cut off goes on, and a new version takes what has changed.
/// Nothing appears among the templates before every digest is proved.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Where from, such as registry.example.org/lab/debian-12:1.0; without a tag, `latest` is meant
    #[arg(value_name = "REGISTRY/REPOSITORY[:TAG|@DIGEST]")]
    from: Reference,
    /// What to call it, such as lab.ext3; it gets the next version unless the name has one [default: its own name and
    /// version]
    #[arg(long, value_name = "NAME")]
    name: Option<TemplateName>,
    /// Refuse it unless this public key of minisign, a file or the key itself, signed it; may be given again [default:
    /// every `template_key` of mln.conf]
    #[arg(long, value_name = "PUBKEY", conflicts_with = "no_verify")]
    verify: Vec<String>,
    /// Take it without a signature, whatever mln.conf says
    #[arg(long)]
    no_verify: bool,
    #[command(flatten)]
    access: AccessArgs,
}

/// Fetches, and prints the new file's name.
pub(crate) fn run(arguments: &Args, store: &Store, context: &Context<'_>) -> Result<(), CommandError> {
    let keys = match &*arguments.verify {
        _ if arguments.no_verify => &[],
        [] => &*context.settings.template_keys,
        given => given,
    };
    let order = PullOrder {
        from: arguments.from.clone(),
        name: arguments.name.clone(),
        access: arguments.access.access(&arguments.from, context)?,
        trusted: keys.iter().map(|key| public_key(key)).collect::<Result<_, _>>()?,
        time: Timestamp::now(),
    };
    let busy = || context.ui.note(super::BUSY);
    let pulled = store.pull(&order, &*super::reporter(context), busy)?;
    if context.json {
        return context.ui.answer_json(&pulled);
    }
    if pulled.was_there {
        context.ui.note(&format!("`{}` is here already", pulled.file));
    }
    context.ui.answer(&format!("{}\n", pulled.file))
}

/// The key that `text` is, or that lies in the file called so.
fn public_key(text: &str) -> Result<PublicKey, CommandError> {
    let key = if PublicKey::is_key(text) {
        PublicKey::parse(text, text)
    } else {
        let content = fs::read_to_string(text).map_err(PathError::on("read", text))?;
        PublicKey::parse(&content, text)
    };
    Ok(key.map_err(TemplateError::from)?)
}
