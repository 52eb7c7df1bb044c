//! What `template pull` believes: nothing that is damaged, that a trusted key has not signed, or that cannot be.

use std::fs;

use serde_json::{Value, json};

use crate::support::registry::{Home, Registry, damage, write};
use crate::support::{sha256, tool};

/// What helps who cannot have a signed template.
const HINT: &str =
    "hint: have it pushed with `template push --sign KEYFILE`, or take it as it is with --no-verify\n";

#[test]
fn damaged_blobs_and_documents_are_refused() {
    let registry = Registry::start();
    let (here, there) = (Home::new(), Home::new());
    let template = here.import_lab(32, 20);
    let place = registry.place("lab:x");
    here.json(&["push", "lab.ext4", &place]);
    let manifest: Value = serde_json::from_slice(&registry.manifest("lab", "x")).unwrap();
    let layer = manifest["layers"][1]["digest"].as_str().unwrap();
    let config = manifest["config"]["digest"].as_str().unwrap();
    for (what, digest) in [("chunk", layer), ("description of the template", config)] {
        let stored = registry.stored(digest);
        let whole = fs::read(&stored).unwrap();
        damage(&stored);
        let found = sha256(&stored);
        let hex = digest.strip_prefix("sha256:").unwrap();
        assert_eq!(
            there.refusal(&["pull", &place]),
            format!(
                "error: the {what} is damaged: its digest is {found}, but should be {hex}\nhint: the registry's storage or \
                 the way from it is damaged: push the template again\n"
            )
        );
        if what == "chunk" {
            write(&stored, &whole[..whole.len() / 2]);
            let refusal = there.refusal(&["pull", &place]);
            assert!(refusal.contains("is damaged"), "{refusal}");
        }
        write(&stored, &whole);
        assert_eq!(there.templates(), [""; 0]);
    }
    assert_eq!(there.json(&["pull", &place])["file"], "lab-V1.0.ext4");
    assert_eq!(sha256(&there.path("templates/lab-V1.0.ext4")), sha256(&template));
}

#[test]
fn a_template_is_taken_only_from_those_who_are_trusted() {
    let registry = Registry::start();
    let home = Home::new();
    home.import_lab(16, 1);
    let place = registry.place("lab:x");
    let public_key = home.run(&["keygen", "ours.key"]).stdout;
    let theirs = home.json(&["keygen", "theirs.key"])["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let verified = ["pull", &place, "--name", "copy.ext4", "--verify", "ours.key.pub"];

    home.json(&["push", "lab.ext4", &place]);
    let given = registry.blobs_given();
    assert_eq!(
        home.refusal(&verified),
        format!("error: `{place}` is not signed\n{HINT}")
    );
    home.json(&["push", "lab.ext4", &place, "--sign", "theirs.key"]);
    assert_eq!(
        home.refusal(&verified),
        format!(
            "error: `{place}` is not signed by a trusted key: there is a signature by the key {theirs}\n{HINT}"
        )
    );
    assert_eq!(
        registry.blobs_given(),
        given + 1,
        "more than a signature was fetched"
    );

    // The line that `keygen` prints stands in the configuration.
    write(&home.path(".mln"), &public_key);
    let pull = ["pull", &place, "--name", "copy.ext4"];
    assert!(home.refusal(&pull).contains("is not signed by a trusted key"));
    let unsigned = home.json(&["pull", &place, "--name", "unsigned.ext4", "--no-verify"]);
    assert_eq!(unsigned["signer"], Value::Null);

    let ours = home.json(&["push", "lab.ext4", &place, "--sign", "ours.key"])["signer"].clone();
    let sent = registry.blobs_sent();
    home.json(&["push", "lab.ext4", &place, "--sign", "ours.key"]);
    assert_eq!(registry.blobs_sent(), sent, "a signature was sent again");
    assert_eq!(home.json(&pull)["signer"], ours);
    let source = home.json(&["info", "copy.ext4"])["source"].clone();
    assert!(
        source
            .as_str()
            .unwrap()
            .ends_with(&format!("signed by {}", ours.as_str().unwrap())),
        "{source}"
    );
    assert_eq!(
        home.json(&[
            "pull",
            &place,
            "--name",
            "second.ext4",
            "--verify",
            "ours.key.pub"
        ])["signer"],
        ours
    );
}

#[test]
fn a_tag_that_is_moved_does_not_take_the_signature_along() {
    let registry = Registry::start();
    let home = Home::new();
    home.import_lab(16, 1);
    let place = registry.place("lab:x");
    home.run(&["keygen", "ours.key"]);
    let refusal = home.refusal(&["keygen", "ours.key"]);
    assert!(
        refusal.starts_with("error: `ours.key` exists already\n"),
        "{refusal}"
    );
    home.json(&["push", "lab.ext4", &place, "--sign", "ours.key"]);
    home.import_lab(16, 2);
    home.json(&["push", "lab.ext4", &place]);
    let verified = ["pull", &place, "--name", "copy.ext4", "--verify", "ours.key.pub"];
    assert_eq!(
        home.refusal(&verified),
        format!("error: `{place}` is not signed\n{HINT}")
    );
}

#[test]
fn minisign_and_we_agree_on_keys_and_signatures() {
    let registry = Registry::start();
    let home = Home::new();
    home.import_lab(16, 1);
    let place = registry.place("lab:x");
    let minisign = |arguments: &[&str]| {
        let output = tool("minisign", "minisign")
            .args(arguments)
            .current_dir(home.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    minisign(&["-G", "-W", "-p", "theirs.pub", "-s", "theirs.key"]);
    home.json(&["push", "lab.ext4", &place, "--sign", "theirs.key"]);
    assert_eq!(
        home.json(&["pull", &place, "--name", "a.ext4", "--verify", "theirs.pub"])["file"],
        "a-V1.0.ext4"
    );

    write(&home.path("password"), "open sesame\n");
    home.run(&["keygen", "ours.key", "--password-file", "password"]);
    let sign = ["push", "lab.ext4", &place, "--sign", "ours.key"];
    assert_eq!(
        home.refusal(&sign),
        "error: the key `ours.key` is encrypted\nhint: give its password with --sign-password-file\n"
    );
    home.json(&[&sign[..], &["--sign-password-file", "password"]].concat());
    let manifest = registry.manifest("lab", "x");
    write(&home.path("manifest"), &manifest);
    for key in ["theirs.pub", "ours.key.pub"] {
        let is_by_it = signatures(&registry, &manifest).into_iter().any(|signature| {
            write(&home.path("manifest.minisig"), signature);
            let output = tool("minisign", "minisign")
                .args(["-V", "-m", "manifest", "-p", key])
                .current_dir(home.0.path())
                .output()
                .unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            output.status.success() && said.contains("Trusted comment: lab-V1.0.ext4 sha256:")
        });
        assert!(is_by_it, "minisign finds no signature by {key}");
    }
}

/// The signatures that lie beside `manifest`.
fn signatures(registry: &Registry, manifest: &[u8]) -> Vec<Vec<u8>> {
    let digest = mln_image::base::digest::Sha256Digest::of(manifest);
    let index: Value =
        serde_json::from_slice(&registry.manifest("lab", &format!("sha256-{digest}"))).unwrap();
    let artifacts = index["manifests"].as_array().unwrap().iter().map(|artifact| {
        let bytes = registry.manifest("lab", artifact["digest"].as_str().unwrap());
        let artifact: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(artifact["subject"]["digest"], format!("sha256:{digest}"));
        fs::read(registry.stored(artifact["layers"][0]["digest"].as_str().unwrap())).unwrap()
    });
    artifacts.collect()
}

/// A manifest and a description to change.
type Change = fn(&Registry, &mut Value, &mut Value);

/// What each change is answered with.
const HOSTILE: [(&str, Change); 14] = [
    (
        "is refused: a template of 1024T is not supported",
        |_, _, config| {
            config["len_bytes"] = json!(1_u64 << 50);
        },
    ),
    (
        "is not understood: `../../etc/passwd.ext4` has something",
        |_, _, config| {
            config["name"] = json!("../../etc/passwd.ext4");
        },
    ),
    (
        "is not understood: `/etc/cron.d/lab.ext4` has something",
        |_, _, config| {
            config["name"] = json!("/etc/cron.d/lab.ext4");
        },
    ),
    ("is no text to show", |_, _, config| {
        config["message"] = json!("\u{1b}]0;owned\u{7}");
    }),
    (
        "has 5000 layers and describes 5000 chunks, of which there can be 4096",
        |_, manifest, config| {
            manifest["layers"] = vec![manifest["layers"][0].clone(); 5000].into();
            config["chunks"] = (0..5000)
                .map(|index| json!({"index": index, "sha256": config["sha256"]}))
                .collect();
        },
    ),
    ("is refused: chunk 0 is out of place", |_, manifest, config| {
        manifest["layers"] = vec![manifest["layers"][0].clone(); 2].into();
        config["chunks"] = vec![config["chunks"][0].clone(); 2].into();
    }),
    // A quarter of a TiB from one small blob; who has the room for it fetches a blob that is none of the chunks.
    ("", |_, manifest, config| {
        manifest["layers"] = vec![manifest["layers"][0].clone(); 4096].into();
        config["len_bytes"] = json!(4096_u64 << 26);
        config["chunk_len_bytes"] = json!(64 << 20);
        config["chunks"] = (0..4096)
            .map(|index| json!({"index": index, "sha256": config["sha256"]}))
            .collect();
    }),
    ("is refused: a layer of 1T holds no chunk", |_, manifest, _| {
        manifest["layers"][0]["size"] = json!(1_u64 << 40);
    }),
    ("is refused: chunks of 1T are not supported", |_, _, config| {
        config["chunk_len_bytes"] = json!(1_u64 << 40);
    }),
    (
        "chunk 0 does not hold the 16M that the template says",
        |registry, manifest, _| {
            let bomb = zstd::bulk::compress(&vec![7; 600 << 20], 1).unwrap();
            manifest["layers"][0]["size"] = json!(bomb.len());
            manifest["layers"][0]["digest"] = json!(registry.put_blob("lab", &bomb));
        },
    ),
    (
        "chunk 0 does not hold the 16M that the template says",
        |registry, manifest, _| {
            manifest["layers"][0]["size"] = json!(7);
            manifest["layers"][0]["digest"] = json!(registry.put_blob("lab", b"rubbish"));
        },
    ),
    (
        "the description of the template is longer than 4M",
        |_, _, config| {
            config["more"] = json!("x".repeat(5 << 20));
        },
    ),
    (
        "is no template of mln-image: it is a container image",
        |_, manifest, _| {
            manifest["config"]["mediaType"] = json!("application/vnd.oci.image.config.v1+json");
            manifest.as_object_mut().unwrap().remove("artifactType");
        },
    ),
    ("the template is damaged: its digest is", |_, _, config| {
        config["sha256"] = json!("0".repeat(64));
    }),
];

#[test]
fn what_cannot_be_a_template_is_refused_in_little_memory() {
    let registry = Registry::start();
    let (here, there) = (Home::new(), Home::new());
    here.import_lab(16, 1);
    here.json(&["push", "lab.ext4", &registry.place("lab:good")]);
    let manifest: Value = serde_json::from_slice(&registry.manifest("lab", "good")).unwrap();
    let stored = registry.stored(manifest["config"]["digest"].as_str().unwrap());
    let config: Value = serde_json::from_slice(&fs::read(stored).unwrap()).unwrap();
    let place = registry.place("lab:bad");
    for (number, (expected, change)) in HOSTILE.into_iter().enumerate() {
        let (mut manifest, mut config) = (manifest.clone(), config.clone());
        change(&registry, &mut manifest, &mut config);
        let bytes = config.to_string();
        manifest["config"]["digest"] = json!(registry.put_blob("lab", bytes.as_bytes()));
        manifest["config"]["size"] = json!(bytes.len());
        registry.put_manifest("lab", "bad", &manifest);
        let output = there.run_in_512_mib(&["pull", &place]);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "case {number}: {said}");
        assert!(
            said.starts_with("error: ") && said.contains(expected),
            "case {number}: {said}"
        );
        assert!(!said.contains('\u{1b}'), "case {number}: {said:?}");
    }
    assert_eq!(there.templates(), [""; 0]);
    let good = there.run_in_512_mib(&["pull", &registry.place("lab:good")]);
    assert_eq!(good.stdout, b"lab-V1.0.ext4\n", "{good:?}");
}
