//! A place where an ordinary user bakes and runs machines of busybox under User-Mode Linux, and which goes with the
//! test, whatever still runs in it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use mln_image::base::atomic::{self, Durability};
use tempfile::TempDir;

use super::templates::busybox_store;
use super::tool;

/// Whom `scripts/test-user` makes for the tests that root runs.
const ORDINARY_USER: &str = "mln-test";

/// `openssl passwd -6 -salt mlnimage secret`.
pub(crate) const SECRET: &str =
    "$6$mlnimage$a5svMySYw58UaPLFcaSdZmX/UGK5zzbdcOhIWLY54DUhiSXWBia16DQbCoVtGieUQJwR6n0ySFe/9ObSor8hb.";

/// The place.
pub(crate) struct Lab {
    directory: TempDir,
}

/// What a command printed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Lab {
    /// A place with the busybox template, where `project` has been baked.
    pub(crate) fn with(project: &str) -> Self {
        // A short path, since sockets lie below it; not below the checkout, where the user may not go.
        let directory = tempfile::Builder::new().prefix("lab").tempdir_in("/tmp").unwrap();
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let lab = Self { directory };
        fs::copy(env!("CARGO_BIN_EXE_mln-image"), lab.path("mln-image")).unwrap();
        for name in ["home", "home/screen", "templates"] {
            let mut install = tool("install", "coreutils");
            install.args(["-d", "-m", "0700", "-o", ORDINARY_USER, "-g", ORDINARY_USER]);
            assert!(install.arg(lab.path(name)).status().unwrap().success());
        }
        let template = busybox_store().find("busybox.ext4").unwrap().path().to_path_buf();
        let mut install = tool("install", "coreutils");
        install.args(["-m", "0444", "-o", ORDINARY_USER]).arg(template);
        assert!(
            install
                .arg(lab.path("templates/busybox.ext4"))
                .status()
                .unwrap()
                .success()
        );
        lab.write("lab.mln", project);
        let baked = lab.run(&["bake", "lab.mln"]);
        assert_eq!(baked.code, Some(0), "{baked:?}");
        lab
    }

    /// Something in the place.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A shell on the console of the machine `name`, as `user`, whose password is `secret`, as a person at a terminal
    /// would have it.
    pub(crate) fn talk(&self, name: &str, user: &str) -> Talk {
        let console = format!(
            "{} -P {} console {name}.lab",
            self.path("mln-image").display(),
            self.path("home/projects").display()
        );
        let mut script = self.command("script");
        script.args(["-qec", &console, "/dev/null"]).env("TERM", "vt100");
        let mut talk = Talk::with(&mut script);
        talk.log_in(user, "secret");
        talk
    }

    /// Where the sockets of the running project lie.
    pub(crate) fn runtime(&self) -> PathBuf {
        let projects = self.path("home/projects/lab");
        self.path("home/run")
            .join(mln_image::launch::runtime_name("lab", &projects))
    }

    /// Writes a file that the user may read.
    pub(crate) fn write(&self, name: &str, text: &str) {
        atomic::write(&self.path(name), text.as_bytes(), Durability::NoSync).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// A command that the user runs in the place.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = tool("setpriv", "util-linux");
        command
            .args([
                "--reuid",
                ORDINARY_USER,
                "--regid",
                ORDINARY_USER,
                "--init-groups",
                "--",
            ])
            .arg(program)
            .env("HOME", self.path("home"))
            .env("MLN_RUNTIME_DIR", self.path("home/run"))
            .env("SCREENDIR", self.path("home/screen"))
            .env_remove("DISPLAY")
            .env_remove("XDG_DATA_HOME")
            .env_remove("XDG_RUNTIME_DIR")
            .current_dir(self.directory.path());
        command
    }

    /// The program itself, run by the user on the place's projects and templates.
    pub(crate) fn program(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(self.path("mln-image").to_str().unwrap());
        command
            .arg("-P")
            .arg(self.path("home/projects"))
            .arg("-T")
            .arg(self.path("templates"))
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// Runs it to the end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Answer {
        self.answer(&self.program(arguments).output().unwrap())
    }

    /// What a command printed, without what differs from place to place.
    pub(crate) fn answer(&self, output: &Output) -> Answer {
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let text = text.replace(&self.runtime().display().to_string(), "RUN");
            text.replace(&self.directory.path().display().to_string(), "LAB")
        };
        Answer {
            code: output.status.code(),
            stdout: text(&output.stdout),
            stderr: text(&output.stderr),
        }
    }

    /// The lines that name a process of this place, by what it was started with.
    pub(crate) fn processes(&self) -> Vec<String> {
        let place = self.directory.path().display().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Ok(line) = fs::read(entry.path().join("cmdline")) else {
                continue;
            };
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            if line.contains(&place) && !line.contains("setpriv") {
                found.push(format!("{} {line}", entry.file_name().to_string_lossy()));
            }
        }
        found
    }

    /// Holds that nothing is left: no process, no socket, no screen session.
    #[track_caller]
    pub(crate) fn assert_nothing_left(&self) {
        let deadline = Instant::now() + Duration::from_secs(5);
        while !self.processes().is_empty() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(50));
        }
        assert_eq!(self.processes(), Vec::<String>::new());
        let left: Vec<_> = fs::read_dir(self.path("home/run")).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
        let sessions = self.command("screen").arg("-ls").output().unwrap();
        let sessions = String::from_utf8_lossy(&sessions.stdout).into_owned();
        assert!(!sessions.contains(".lab"), "{sessions}");
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        for process in self.processes() {
            let pid = process.split(' ').next().unwrap_or_default();
            drop(Command::new("kill").args(["-9", pid]).status());
        }
    }
}

/// A conversation over a console: what was printed is waited for, what is typed is answered.
pub(crate) struct Talk {
    child: Child,
    input: ChildStdin,
    output: Receiver<Vec<u8>>,
    heard: String,
}

impl Talk {
    /// Talks with what `command` shows.
    pub(crate) fn with(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, output) = channel();
        let mut stdout = child.stdout.take().unwrap();
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(len @ 1..) = stdout.read(&mut buffer) {
                if sender.send(buffer[..len].to_vec()).is_err() {
                    break;
                }
            }
        });
        let input = child.stdin.take().unwrap();
        Self {
            child,
            input,
            output,
            heard: String::new(),
        }
    }

    /// Types `text`.
    pub(crate) fn say(&mut self, text: &str) {
        self.input.write_all(text.as_bytes()).unwrap();
        self.input.flush().unwrap();
    }

    /// Waits until `text` has been printed; gives all that came before it.
    #[track_caller]
    pub(crate) fn hear(&mut self, text: &str) -> String {
        let deadline = Instant::now() + Duration::from_mins(1);
        loop {
            if let Some((before, after)) = self.heard.split_once(text) {
                let (before, after) = (before.to_owned(), after.to_owned());
                self.heard = after;
                return before;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.output.recv_timeout(left) {
                Ok(bytes) => self.heard.push_str(&String::from_utf8_lossy(&bytes)),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{text:?} was not heard, but {:?}", self.heard)
                }
            }
        }
    }

    /// Logs in by the login prompt, which a new line brings out again.
    #[track_caller]
    pub(crate) fn log_in(&mut self, user: &str, password: &str) {
        self.say("\n");
        self.hear("login: ");
        self.say(&format!("{user}\n"));
        self.hear("assword: ");
        self.say(&format!("{password}\n"));
        // The prompt differs from user to user; this one is ours.
        thread::sleep(Duration::from_millis(500));
        self.say("stty -echo; PS1=@@ PS2=; export PS1 PS2; exec sh\n");
        self.hear("exec sh");
        self.hear("@@");
        self.ask("true");
    }

    /// Runs `line` in the shell; gives what it prints, and asserts that it succeeds.
    #[track_caller]
    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.say(&format!("{line}; echo \"<$?>\"\n"));
        let answer = self.hear("<0>").replace('\r', "");
        self.hear("@@");
        answer.trim().to_owned()
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// The first file below `directory` called `name`.
pub(crate) fn find(directory: &Path, name: &str) -> PathBuf {
    let found = walkdir::WalkDir::new(directory)
        .into_iter()
        .flatten()
        .find(|entry| entry.file_name() == name);
    found.map(walkdir::DirEntry::into_path).unwrap()
}
