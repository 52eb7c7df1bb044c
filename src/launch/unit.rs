//! The systemd unit that keeps a project up: it starts what is down, again and again, and stops all when it is stopped.
//!
//! Syntax and quoting are those of systemd.service(5) and systemd.syntax(7).

use std::path::PathBuf;

/// What a unit is made from.
#[derive(Debug, Clone)]
pub struct UnitOrder {
    /// The project.
    pub project: String,
    /// The program that starts and stops it, absolute.
    pub program: PathBuf,
    /// Where projects lie.
    pub projects: PathBuf,
    /// Where what belongs to running machines lies, if that is not the usual place.
    pub runtime: Option<PathBuf>,
    /// Whether the unit is for everybody's manager rather than a user's.
    pub is_system_wide: bool,
    /// How many seconds pass between one look and the next.
    pub seconds: u64,
}

impl UnitOrder {
    /// The unit's name.
    pub fn name(&self) -> String {
        // What a name may hold besides is escaped as systemd-escape(1) does.
        let mut name = String::from("mln-");
        for byte in self.project.bytes() {
            if byte.is_ascii_alphanumeric() || b":_.".contains(&byte) {
                name.push(char::from(byte));
            } else {
                name += &escaped(byte.into());
            }
        }
        name + ".service"
    }

    /// The unit's text.
    pub fn text(&self) -> String {
        let places = [
            self.program.display().to_string(),
            "-P".to_owned(),
            self.projects.display().to_string(),
        ];
        let command = |action: &str| {
            let words = places.iter().map(String::as_str).chain([action, &self.project]);
            words.map(super::quote::shell).collect::<Vec<_>>().join(" ")
        };
        // A launch that leaves hosts down is tried again; so is one that finds another at work.
        let again = format!(
            "while :; do {} || :; sleep {}; done",
            command("launch"),
            self.seconds
        );
        let stop = places.iter().map(String::as_str).chain(["stop", &self.project]);
        let stop: Vec<String> = stop.map(quoted).collect();
        let runtime = self.runtime.as_ref().map(|path| {
            let setting = format!("MLN_RUNTIME_DIR={}", path.display());
            format!("Environment={}\n", quoted(&setting))
        });
        let target = if self.is_system_wide {
            "multi-user.target"
        } else {
            "default.target"
        };
        format!(
            "# Written by mln-image.\n\
             [Unit]\n\
             Description=Machines of the project {}\n\
             After=network.target\n\
             \n\
             [Service]\n\
             Type=exec\n\
             {}\
             ExecStart=/bin/sh -c {}\n\
             ExecStop={}\n\
             Restart=on-failure\n\
             KillMode=mixed\n\
             TimeoutStopSec=300\n\
             \n\
             [Install]\n\
             WantedBy={target}\n",
            self.project,
            runtime.unwrap_or_default(),
            quoted(&again),
            stop.join(" "),
        )
    }
}

/// A word for systemd, in quotes, with nothing in it that systemd would replace.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for letter in word.chars() {
        match letter {
            '"' | '\\' => text.extend(['\\', letter]),
            '$' | '%' => text.extend([letter, letter]),
            letter if letter.is_control() => text += &escaped(letter.into()),
            letter => text.push(letter),
        }
    }
    text + "\""
}

/// A letter by its number, as systemd reads it in names and in quotes.
fn escaped(letter: u32) -> String {
    format!("\\x{letter:02x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_words_are_written_so_that_systemd_reads_them_back() {
        let order = UnitOrder {
            project: "web-farm".to_owned(),
            program: "/opt/my tools/mln-image".into(),
            projects: "/srv/100%/$x".into(),
            runtime: Some("/run/mln".into()),
            is_system_wide: true,
            seconds: 60,
        };
        assert_eq!(order.name(), "mln-web\\x2dfarm.service");
        let text = order.text();
        let start = "ExecStart=/bin/sh -c \"while :; do '/opt/my tools/mln-image' -P '/srv/100%%/$$x' launch web-farm \
                     || :; sleep 60; done\"\n";
        assert!(text.contains(start), "{text}");
        let stop = "ExecStop=\"/opt/my tools/mln-image\" \"-P\" \"/srv/100%%/$$x\" \"stop\" \"web-farm\"\n";
        assert!(text.contains(stop), "{text}");
        assert!(
            text.contains("Environment=\"MLN_RUNTIME_DIR=/run/mln\"\n"),
            "{text}"
        );
    }
}
