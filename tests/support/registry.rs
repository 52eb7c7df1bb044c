//! Debian's `docker-registry`, run on this machine's own interface with a storage of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

use mln_image::base::atomic::{self, Durability};
use mln_image::base::digest::Sha256Digest;
use serde_json::Value;
use tempfile::TempDir;

use super::xl::unpacked;
use super::{BlockSize, ExtKind, Mkfs};

/// How often, and at most how many times, something is looked at that will come.
const GLANCE: Duration = Duration::from_millis(50);
const GLANCES: u32 = 1200;

/// A registry; it ends with this value.
pub(crate) struct Registry {
    process: Child,
    directory: TempDir,
    pub(crate) address: String,
}

impl Registry {
    pub(crate) fn start() -> Self {
        Self::start_with("", "")
    }

    /// Starts one with more lines in the configuration, at its end and in its section `http`.
    pub(crate) fn start_with(further: &str, http: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("config.yml");
        let storage = directory.path().join("storage");
        let text = format!(
            "version: 0.1\nstorage: {{filesystem: {{rootdirectory: {}}}}}\nhttp:\n  addr: 127.0.0.1:0\n{http}\n{further}\n",
            storage.display()
        );
        write(&configuration, text);
        let log = File::create(directory.path().join("log")).unwrap();
        let process = Command::new(unpacked("usr/bin/docker-registry"))
            .arg("serve")
            .arg(&configuration)
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        let mut registry = Self {
            process,
            directory,
            address: String::new(),
        };
        registry.address = wait_for("docker-registry's address in its log", || {
            let log = registry.log();
            let (_, rest) = log.split_once("listening on ")?;
            Some(rest.split(['"', ',']).next()?.to_owned())
        });
        registry
    }

    /// The place `path` in the registry.
    pub(crate) fn place(&self, path: &str) -> String {
        format!("{}/{path}", self.address)
    }

    /// Everything that the registry said.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap()
    }

    /// How many blobs the registry was sent, by its access log.
    pub(crate) fn blobs_sent(&self) -> usize {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains("\"PUT /v2/") && line.contains("/blobs/uploads/"))
            .count()
    }

    /// How many blobs the registry gave, by its access log.
    pub(crate) fn blobs_given(&self) -> usize {
        let log = self.log();
        log.lines()
            .filter(|line| line.contains("\"GET /v2/") && line.contains("/blobs/sha256:"))
            .count()
    }

    /// The file in which the registry keeps the blob or manifest with `digest`.
    pub(crate) fn stored(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        self.directory
            .path()
            .join("storage/docker/registry/v2/blobs/sha256")
            .join(&hex[..2])
            .join(hex)
            .join("data")
    }

    /// The document that `name`, a tag or digest, means in `repository`, as it lies there.
    pub(crate) fn manifest(&self, repository: &str, name: &str) -> Vec<u8> {
        let url = format!("http://{}/v2/{repository}/manifests/{name}", self.address);
        let accept = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
        let mut answer = ureq::get(url).header("Accept", accept).call().unwrap();
        answer.body_mut().read_to_vec().unwrap()
    }

    /// Puts a blob there, and gives its digest.
    pub(crate) fn put_blob(&self, repository: &str, bytes: &[u8]) -> String {
        let digest = format!("sha256:{}", Sha256Digest::of(bytes));
        let url = format!("http://{}/v2/{repository}/blobs/uploads/", self.address);
        let answer = ureq::post(url).send_empty().unwrap();
        let place = answer.headers()["location"].to_str().unwrap();
        let place = match place.strip_prefix('/') {
            Some(path) => format!("http://{}/{path}", self.address),
            None => place.to_owned(),
        };
        ureq::put(format!("{place}&digest={digest}")).send(bytes).unwrap();
        digest
    }

    /// Puts a manifest there under the tag `tag`.
    pub(crate) fn put_manifest(&self, repository: &str, tag: &str, manifest: &Value) {
        let url = format!("http://{}/v2/{repository}/manifests/{tag}", self.address);
        ureq::put(url)
            .header("Content-Type", manifest["mediaType"].as_str().unwrap())
            .send(manifest.to_string())
            .unwrap();
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// What `glance` gives at last.
#[track_caller]
pub(crate) fn wait_for<T>(what: &str, mut glance: impl FnMut() -> Option<T>) -> T {
    for _ in 0..GLANCES {
        if let Some(found) = glance() {
            return found;
        }
        thread::sleep(GLANCE);
    }
    panic!("there is no {what}");
}

/// A home directory with a store of templates.
pub(crate) struct Home(pub(crate) TempDir);

impl Home {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// `mln-image template` in this home, ready to run.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
        command
            .env_clear()
            .env("HOME", self.0.path())
            .arg("-T")
            .arg(self.path("templates"))
            .arg("template")
            .args(arguments)
            .stdin(Stdio::null())
            .current_dir(self.0.path());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Runs it with an address space too small for a template, or for what a manifest claims.
    pub(crate) fn run_in_512_mib(&self, arguments: &[&str]) -> Output {
        let command = self.command(arguments);
        Command::new("sh")
            .args(["-c", "ulimit -v 524288; exec \"$0\" \"$@\""])
            .arg(command.get_program())
            .args(command.get_args())
            .env_clear()
            .env("HOME", self.0.path())
            .stdin(Stdio::null())
            .current_dir(self.0.path())
            .output()
            .unwrap()
    }

    /// The JSON that it answers.
    #[track_caller]
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        assert!(output.status.success(), "{output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// The whole of what it complains of when it fails.
    #[track_caller]
    pub(crate) fn refusal(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(!output.status.success(), "{output:?}");
        assert_eq!(output.stdout, b"");
        String::from_utf8(output.stderr).unwrap()
    }

    /// The names of the templates here.
    pub(crate) fn templates(&self) -> Vec<String> {
        let listed = self.json(&["list"]);
        let names = listed.as_array().unwrap().iter();
        names
            .map(|one| one["file"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Imports an ext4 file system of `len_mib` that holds `data_mib` of random bytes, as the next version of `lab.ext4`.
    pub(crate) fn import_lab(&self, len_mib: u64, data_mib: u64) -> PathBuf {
        let source = self.path("source");
        fs::create_dir_all(&source).unwrap();
        let mut random = File::open("/dev/urandom").unwrap().take(data_mib << 20);
        std::io::copy(&mut random, &mut File::create(source.join("filler")).unwrap()).unwrap();
        let image = self.path("lab.ext4");
        Mkfs::new(ExtKind::Ext4, BlockSize(4096), len_mib << 20).make(&image, Some(&source));
        let entry = self.json(&["import", "lab.ext4", "--message", "a laboratory"]);
        self.path("templates").join(entry["file"].as_str().unwrap())
    }
}

/// Stands between a client and a registry, and lets so many bytes of answers pass.
pub(crate) struct Relay {
    pub(crate) address: String,
    left_bytes: Arc<AtomicI64>,
}

/// What becomes of a connection over which no more may pass.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It stays, and nothing comes.
    Silence,
    /// It is closed.
    Close,
}

impl Relay {
    pub(crate) fn start(registry: &Registry, bytes: i64, end: End) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let left_bytes = Arc::new(AtomicI64::new(bytes));
        let (to, left) = (registry.address.clone(), Arc::clone(&left_bytes));
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (to, left) = (to.clone(), Arc::clone(&left));
                thread::spawn(move || relay(client, &to, &left, end));
            }
        });
        Self { address, left_bytes }
    }

    /// Whether no more passes.
    pub(crate) fn is_at_its_end(&self) -> bool {
        self.left_bytes.load(Ordering::Relaxed) <= 0
    }
}

fn relay(client: TcpStream, to: &str, left_bytes: &AtomicI64, end: End) {
    let server = TcpStream::connect(to).unwrap();
    let (mut questions, mut on) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    thread::spawn(move || {
        drop(std::io::copy(&mut questions, &mut on));
        drop(on.shutdown(Shutdown::Write));
    });
    let (mut answers, mut back) = (server, client);
    let mut piece = vec![0; 1 << 14];
    while let Ok(count) = answers.read(&mut piece) {
        let left = left_bytes.fetch_sub(i64::try_from(count).unwrap(), Ordering::Relaxed);
        if left <= 0 && end == End::Silence {
            // Until the client has gone.
            wait_for("end of the client", || {
                back.write(&[]).err().or_else(|| gone(&back))
            });
            return;
        }
        if count == 0 || left <= 0 || back.write_all(&piece[..count]).is_err() {
            break;
        }
    }
    drop(back.shutdown(Shutdown::Both));
}

/// An error if whoever is at the other end has closed.
fn gone(stream: &TcpStream) -> Option<std::io::Error> {
    stream.set_nonblocking(true).unwrap();
    match stream.peek(&mut [0]) {
        Ok(0) => Some(std::io::ErrorKind::ConnectionAborted.into()),
        Err(error) if error.kind() != std::io::ErrorKind::WouldBlock => Some(error),
        _ => None,
    }
}

/// Makes the file at `path` have this content.
pub(crate) fn write(path: &Path, content: impl AsRef<[u8]>) {
    atomic::write(path, content.as_ref(), Durability::NoSync).unwrap();
}

/// Changes one byte in the middle of the file at `path`.
pub(crate) fn damage(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x20;
    write(path, bytes);
}
