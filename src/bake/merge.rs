//! One manifest out of those that several machines made of parts of one project.

use serde_json::Value;

use super::manifest::to_text;
use crate::project::compare_names;

/// Says why manifests cannot be one.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// There is nothing to merge, or something that is no manifest.
    #[error("manifest {number} is not a manifest")]
    NotAManifest {
        /// Which one, from 1.
        number: usize,
        /// The parser's reason.
        #[source]
        source: Option<serde_json::Error>,
    },
    /// Two are of different bakes.
    #[error("manifest {number} differs from the first in `{field}`: {found} and {expected}")]
    Differs {
        /// Which one, from 1.
        number: usize,
        /// In what.
        field: &'static str,
        /// What it has.
        found: String,
        /// What the first has.
        expected: String,
    },
    /// Two say different things of one host or template.
    #[error("manifest {number} has another `{name}` than one before it")]
    Conflict {
        /// Which one, from 1.
        number: usize,
        /// The host or template.
        name: String,
    },
    /// The result could not be put into words.
    #[error("cannot write the manifest")]
    Form(#[source] serde_json::Error),
}

/// Merges the texts of manifests of one project; the order does not matter.
pub fn merge(texts: &[Vec<u8>]) -> Result<Vec<u8>, MergeError> {
    let mut whole: Option<Value> = None;
    for (number, text) in (1..).zip(texts) {
        let part: Value = serde_json::from_slice(text).map_err(|source| MergeError::NotAManifest {
            number,
            source: Some(source),
        })?;
        if !part["hosts"].is_array() || !part["templates"].is_array() {
            return Err(MergeError::NotAManifest { number, source: None });
        }
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => add(whole, part, number)?,
        }
    }
    let Some(mut whole) = whole else {
        return Err(MergeError::NotAManifest {
            number: 1,
            source: None,
        });
    };
    if let Some(hosts) = whole["hosts"].as_array_mut() {
        sort_hosts(hosts);
    }
    if let Some(templates) = whole["templates"].as_array_mut() {
        templates.sort_by(|one, other| name(one).cmp(name(other)));
    }
    to_text(&whole).map_err(MergeError::Form)
}

/// Adds what `part` has to `whole`.
fn add(whole: &mut Value, mut part: Value, number: usize) -> Result<(), MergeError> {
    for field in ["format", "tool", "project"] {
        if whole[field] != part[field] {
            return Err(MergeError::Differs {
                number,
                field,
                found: part[field].to_string(),
                expected: whole[field].to_string(),
            });
        }
    }
    // Files that tell of the whole project: each machine's copy tells of its own hosts, unless all say the same.
    let shared = part["files"].as_array().cloned().unwrap_or_default();
    if let Some(files) = whole["files"].as_array_mut() {
        files.retain(|file| shared.contains(file));
    }
    for list in ["templates", "hosts"] {
        let (Some(known), Some(more)) = (whole[list].as_array_mut(), part[list].as_array_mut()) else {
            return Err(MergeError::NotAManifest { number, source: None });
        };
        let index: std::collections::BTreeMap<String, usize> = known
            .iter()
            .enumerate()
            .map(|(place, one)| (name(one).to_owned(), place))
            .collect();
        for one in more.drain(..) {
            match index.get(name(&one)) {
                None => known.push(one),
                Some(place) if known[*place] == one => {}
                Some(_) => {
                    return Err(MergeError::Conflict {
                        number,
                        name: name(&one).to_owned(),
                    });
                }
            }
        }
    }
    Ok(())
}

/// Brings hosts into the order that a project has them in.
pub(super) fn sort_hosts(hosts: &mut [Value]) {
    hosts.sort_by(|one, other| compare_names(name(one), name(other)));
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}
