//! Real templates for the tests: built once, kept in `target/test-templates` until what makes them changes.

use std::env;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use mln_image::base::Timestamp;
use mln_image::base::digest::Sha256Digest;
use mln_image::base::report::Silent;
use mln_image::template::{BuildHost, BuildOrder, Definition, ImportOrder, Store};
use tempfile::TempDir;

use super::{ExtKind, tool};

/// When the files of the test templates were last changed.
pub(crate) const CONTENT_SECONDS: i64 = 1_700_000_000;

/// Whom `scripts/test-user` makes for the tests that root runs.
const ORDINARY_USER: &str = "mln-test";

/// A Debian 12 file system of `kind`, as `template build debian-12` makes it. Never write into it.
pub(crate) fn debian12(kind: ExtKind) -> PathBuf {
    assert_ne!(
        kind,
        ExtKind::Ext2,
        "the Debian template is built as ext3 and ext4"
    );
    let store = debian12_store();
    let template = store.find(&format!("debian-12.{}", kind.name())).unwrap();
    template.path().to_path_buf()
}

/// A store that holds Debian 12 as ext3 and as ext4.
pub(crate) fn debian12_store() -> Store {
    store_of("debian-12")
}

/// A store that holds busybox as ext3 and as ext4, as `template build busybox` makes it.
pub(crate) fn busybox_store() -> Store {
    store_of("busybox")
}

/// A store that holds the template `name` as ext3 and as ext4.
fn store_of(name: &str) -> Store {
    let definition = Definition::find(name, None).unwrap();
    let directory = cache().join(key(&definition));
    fs::create_dir_all(&directory).unwrap();
    // Other tests, of this process and of others, wait here instead of building a second time.
    let lock = File::create(directory.join("build.lock")).unwrap();
    lock.lock().unwrap();
    let store = Store::open(&directory);
    if ["ext3", "ext4"]
        .iter()
        .any(|kind| store.find(&format!("{name}.{kind}")).is_err())
    {
        let order = BuildOrder {
            definition,
            types: Vec::new(),
            size: None,
            mirror: None,
            time: Timestamp::from_seconds(CONTENT_SECONDS),
            content_time: Timestamp::from_seconds(CONTENT_SECONDS),
        };
        store.build(&order, &host(), &Silent).unwrap();
    }
    store
}

/// Debian 12 as ext4, built by an ordinary user with the program itself. Never write into it.
pub(crate) fn debian12_of_an_ordinary_user() -> PathBuf {
    if !host().is_root {
        return debian12(ExtKind::Ext4);
    }
    let definition = Definition::find("debian-12", None).unwrap();
    let store = Store::open(cache().join(format!("{}-{ORDINARY_USER}", key(&definition))));
    fs::create_dir_all(store.directory()).unwrap();
    let lock = File::create(store.directory().join("build.lock")).unwrap();
    lock.lock().unwrap();
    if store.find("debian-12.ext4").is_err() {
        let home = build_as_ordinary_user();
        let order = ImportOrder {
            partition: None,
            lineage: None,
            file: home.path().join("templates/debian-12-V1.0.ext4"),
            name: "debian-12.ext4".parse().unwrap(),
            message: String::new(),
            time: Timestamp::from_seconds(CONTENT_SECONDS),
        };
        store.import(&order, || ()).unwrap();
    }
    store.find("debian-12.ext4").unwrap().path().to_path_buf()
}

/// Runs `template build debian-12` as [`ORDINARY_USER`]; gives the directory that holds the store `templates`.
fn build_as_ordinary_user() -> TempDir {
    // Below the system's own temporary directory: the checkout may lie where only its owner can go.
    let home = tempfile::Builder::new().prefix("mln-image-").tempdir().unwrap();
    fs::set_permissions(home.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = home.path().join("mln-image");
    fs::copy(env!("CARGO_BIN_EXE_mln-image"), &program).unwrap();
    let templates = home.path().join("templates");
    let mut install = tool("install", "coreutils");
    install
        .args(["-d", "-m", "0700", "-o", ORDINARY_USER])
        .arg(&templates);
    let mut build = tool("runuser", "util-linux");
    build
        .args(["-u", ORDINARY_USER, "--"])
        .arg(&program)
        .arg("-T")
        .arg(&templates)
        .args(["template", "build", "debian-12", "--type", "ext4"])
        .env("SOURCE_DATE_EPOCH", CONTENT_SECONDS.to_string())
        .current_dir(home.path());
    for command in [&mut install, &mut build] {
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{command:?}: {}\n(scripts/test-user makes the user {ORDINARY_USER})",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    home
}

/// This machine as a build finds it.
pub(crate) fn host() -> BuildHost {
    BuildHost {
        search_path: env::var_os("PATH"),
        apt_directory: PathBuf::from("/etc/apt"),
        is_root: rustix::process::geteuid().is_root(),
    }
}

/// Where templates outlive a test run.
pub(crate) fn cache() -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("test-templates")
}

/// What tells a template from one of another definition or of another way to build.
pub(crate) fn key(definition: &Definition) -> String {
    let mut ingredients = definition.digest.to_string().into_bytes();
    ingredients.extend_from_slice(include_bytes!("../../src/template/debian.rs"));
    ingredients.extend_from_slice(include_bytes!("../../src/template/pack.rs"));
    ingredients.extend_from_slice(include_bytes!("../../src/template/registry.rs"));
    ingredients.extend_from_slice(include_bytes!("../../src/template/times.rs"));
    Sha256Digest::of(&ingredients).to_string()[..16].to_owned()
}
