//! What the process finds around it, read once at the start and handed on as values.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

use super::error::CommandError;
use crate::base::Timestamp;

/// The parts of the environment that change what the program does.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment {
    /// The user's home directory.
    pub(crate) home: Option<PathBuf>,
    /// Where the user keeps programs' data (`XDG_DATA_HOME`).
    pub(crate) data_home: Option<PathBuf>,
    /// Every variable whose name and value are text, for configuration files to use.
    pub(crate) variables: BTreeMap<String, String>,
    /// Whether root runs the program.
    pub(crate) is_root: bool,
    /// Where the program itself lies.
    pub(crate) program: Option<PathBuf>,
    /// Who runs the program.
    pub(crate) uid: u32,
    /// Whether the user wants no colours (`NO_COLOR`, or a terminal that calls itself dumb).
    pub(crate) no_color: bool,
    /// The directories that programs are looked for in (`PATH`).
    pub(crate) search_path: Option<OsString>,
    /// The time that files shall have, in seconds since the epoch (`SOURCE_DATE_EPOCH`), as it was set.
    pub(crate) source_date_epoch: Option<OsString>,
}

impl Environment {
    /// Reads the process's environment.
    pub(crate) fn of_process() -> Self {
        let filled = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let directory = |value: OsString| Some(PathBuf::from(value)).filter(|path| path.is_absolute());
        Self {
            home: filled("HOME").and_then(directory),
            data_home: filled("XDG_DATA_HOME").and_then(directory),
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            is_root: rustix::process::geteuid().is_root(),
            program: std::env::current_exe().ok(),
            uid: rustix::process::geteuid().as_raw(),
            no_color: filled("NO_COLOR").is_some() || filled("TERM").is_some_and(|term| term == "dumb"),
            search_path: filled("PATH"),
            source_date_epoch: filled("SOURCE_DATE_EPOCH"),
        }
    }

    /// The time that the user wants files to have (<https://reproducible-builds.org/specs/source-date-epoch/>).
    pub(crate) fn source_date_epoch(&self) -> Result<Option<Timestamp>, CommandError> {
        let Some(text) = &self.source_date_epoch else {
            return Ok(None);
        };
        let seconds = text.to_str().and_then(|text| text.parse::<u32>().ok());
        let seconds = seconds.ok_or_else(|| {
            let shown = text.to_string_lossy();
            CommandError::usage(format!(
                "SOURCE_DATE_EPOCH is `{shown}`, which is no number of seconds"
            ))
        })?;
        Ok(Some(Timestamp::from_seconds(seconds.into())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_files_is_a_number_of_seconds() {
        let environment = |text: &str| Environment {
            source_date_epoch: Some(text.into()),
            ..Environment::default()
        };
        let time = environment("1700000000").source_date_epoch().unwrap();
        assert_eq!(time, Some(Timestamp::from_seconds(1_700_000_000)));
        assert_eq!(Environment::default().source_date_epoch().unwrap(), None);
        assert_eq!(
            environment("now").source_date_epoch().unwrap_err().message(),
            "SOURCE_DATE_EPOCH is `now`, which is no number of seconds"
        );
    }
}
