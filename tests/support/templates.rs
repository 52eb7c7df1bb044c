//! Real templates for the tests: built once, kept in `target/test-templates` until what makes them changes.

use std::env;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use mln_image::base::Timestamp;
use mln_image::base::digest::Sha256Digest;
use mln_image::base::report::Silent;
use mln_image::template::{BuildHost, BuildOrder, Definition, Store};

use super::ExtKind;

/// When the files of the test templates were last changed.
pub(crate) const CONTENT_SECONDS: i64 = 1_700_000_000;

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
    let definition = Definition::find("debian-12", None).unwrap();
    let directory = cache().join(key(&definition));
    fs::create_dir_all(&directory).unwrap();
    // Other tests, of this process and of others, wait here instead of building a second time.
    let lock = File::create(directory.join("build.lock")).unwrap();
    lock.lock().unwrap();
    let store = Store::open(&directory);
    if ["debian-12.ext3", "debian-12.ext4"]
        .iter()
        .any(|name| store.find(name).is_err())
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
    Sha256Digest::of(&ingredients).to_string()[..16].to_owned()
}
