//! Delta images by the command line: looked into, flattened, laid over another template, exported.

use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mln_image::base::ByteSize;
use mln_image::base::report::Silent;
use mln_image::project::{ImageFormat, SizeRequest};

use crate::support::bakery::Bakery;
use crate::support::project::{host, of, project};
use crate::support::{ExtKind, e2fsck_clean, sha256, tool};

fn program(arguments: &[&Path]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mln-image"));
    command.env_clear().args(arguments).output().unwrap()
}

#[track_caller]
fn succeeds(arguments: &[&Path]) -> String {
    let output = program(arguments);
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// What `verb` says of `last`.
#[track_caller]
fn run(verb: &str, last: &str) -> String {
    let words: Vec<&Path> = verb.split(' ').chain([last]).map(Path::new).collect();
    succeeds(&words)
}

/// A place with the host `www1` of `farm` in `format`, and the raw image of the same.
fn baked(format: ImageFormat) -> Bakery {
    let mut bakery = Bakery::with_template(ExtKind::Ext4);
    let mut www1 = host("www1");
    www1.template = of("small.ext4".to_owned());
    www1.size = of(SizeRequest::Total(ByteSize(64 << 20)));
    bakery.format = Some(format);
    let farm = project("farm", [www1]);
    bakery.bake(&farm).unwrap();
    bakery.format = Some(ImageFormat::Raw);
    bakery.bake_to(&bakery.path("raw"), &farm, &Silent).unwrap();
    bakery
}

/// The raw image of the host in the place of [`baked`].
fn raw_image(bakery: &Bakery) -> PathBuf {
    bakery.path("raw").join("farm/www1/root.img")
}

#[test]
fn a_delta_is_read_like_any_image() {
    for (format, name) in [(ImageFormat::Qcow2, "qcow2"), (ImageFormat::UmlCow, "uml-cow")] {
        let bakery = baked(format);
        let image = bakery.baked("farm", &format!("www1/{}", format.root_image()));
        let raw = raw_image(&bakery);
        let image_and = |path: &str| format!("{}:{path}", image.display());
        let [list, hosts] = ["/etc", "/etc/hostname"].map(image_and);
        assert_eq!(run("image cat", &hosts), "www1\n");
        let raw_list = format!("{}:/etc", raw.display());
        assert_eq!(run("image ls -R", &list), run("image ls -R", &raw_list));
        assert_eq!(run("image check", &image.display().to_string()), "clean\n");
        let info = run("image info", &image.display().to_string());
        assert!(info.contains(&format!("format: {name}\nbacking: ")), "{info}");
    }
}

#[test]
fn a_delta_is_flattened_rebased_and_exported_to_the_same_disk() {
    for format in [ImageFormat::Qcow2, ImageFormat::UmlCow] {
        let bakery = baked(format);
        let expected = sha256(&raw_image(&bakery));
        let image = bakery.baked("farm", &format!("www1/{}", format.root_image()));
        let (flat, shipped) = (bakery.path("flat.img"), bakery.path("shipped.qcow2"));
        succeeds(&["image".as_ref(), "flatten".as_ref(), &image, &flat]);
        assert_eq!(sha256(&flat), expected, "{format}");
        e2fsck_clean(&flat);
        succeeds(&["export".as_ref(), &image, "-o".as_ref(), &shipped]);
        let converted = bakery.path("converted.img");
        let mut convert = tool("qemu-img", "qemu-utils");
        convert
            .args(["convert", "-f", "qcow2", "-O", "raw"])
            .args([&shipped, &converted]);
        assert!(convert.status().unwrap().success());
        assert_eq!(sha256(&converted), expected, "{format}");
        // Another file with other bytes: the raw image of the same host, of the same length.
        succeeds(&["image".as_ref(), "rebase".as_ref(), &image, &flat]);
        let again = bakery.path("again.img");
        succeeds(&["image".as_ref(), "flatten".as_ref(), &image, &again]);
        assert_eq!(sha256(&again), expected, "{format}");
        assert!(fs::metadata(&image).unwrap().len() < 80 << 20);
    }
    let raw = baked(ImageFormat::Raw);
    let image = raw_image(&raw);
    let output = program(&["image".as_ref(), "rebase".as_ref(), &image, &image]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        "error: it is a raw image, which lies over nothing\n"
    );
}

/// A guest may write what it likes into the first block of its raw disk, where ext keeps nothing.
#[test]
fn a_raw_image_that_begins_as_a_qcow2_one_stays_raw() {
    let bakery = baked(ImageFormat::Qcow2);
    let image = raw_image(&bakery);
    let header = fs::read(bakery.baked("farm", "www1/root.qcow2")).unwrap();
    let file = fs::OpenOptions::new().write(true).open(&image).unwrap();
    file.write_all_at(&header[..512], 0).unwrap();
    let hostname = format!("{}:/etc/hostname", image.display());
    assert_eq!(run("image cat", &hostname), "www1\n");
    let info = run("image info", &image.display().to_string());
    assert!(!info.contains("format:") && !info.contains("backing:"), "{info}");
    // What has the beginning and nothing else is refused, with the way out.
    file.write_all_at(&[0; 4096], 1024).unwrap();
    let output = program(&["image".as_ref(), "cat".as_ref(), Path::new(&hostname)]);
    assert_eq!(output.status.code(), Some(1));
    let place = image.display();
    assert_eq!(
        String::from_utf8_lossy(&output.stderr),
        format!(
            "error: `{place}` holds no file system, but begins as a qcow2 image does\nhint: if it is one that you \
             trust, give it a name that ends in `.qcow2`: a guest can write such a beginning into its raw disk\n"
        )
    );
}
