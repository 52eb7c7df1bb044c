//! `template push` and `template pull` against Debian's docker-registry: what is sent, what is fetched, what goes on after
//! it was cut off, who may do it.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{FileExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::registry::{End, Home, Registry, Relay, wait_for, write};
use crate::support::{e2fsck_clean, sha256, tool};

/// `ada` with the password `secret`, as `htpasswd -B` writes it.
const PASSWORDS: &str = "ada:$2y$05$abcdefghijklmnopqrstuuOQiyCxlgf/oeuTqixKmWdcYUh4Hjl0a\n";

#[test]
fn a_template_goes_to_a_registry_and_comes_back_the_same() {
    let registry = Registry::start();
    let (here, there) = (Home::new(), Home::new());
    let template = here.import_lab(64, 20);
    let place = registry.place("team/lab");

    let pushed = here.json(&["push", "lab.ext4", &place]);
    let reference = pushed["reference"].as_str().unwrap().to_owned();
    assert_eq!(pushed["tags"], serde_json::json!(["1.0", "latest"]));
    assert_eq!(pushed["sent_blobs"], registry.blobs_sent());
    let manifest: Value = serde_json::from_slice(&registry.manifest("team/lab", "1.0")).unwrap();
    let layers = manifest["layers"].as_array().unwrap();
    assert!(
        layers.len() < 4,
        "64 MiB with 20 in use have no chunk of zeros: {manifest}"
    );
    assert_eq!(registry.blobs_sent(), layers.len() + 1);
    assert_eq!(manifest["artifactType"], "application/vnd.mln-image.template.v1");

    let again = here.run(&["push", "lab.ext4", &place]);
    assert_eq!(String::from_utf8(again.stdout).unwrap(), format!("{reference}\n"));
    assert_eq!(registry.blobs_sent(), layers.len() + 1, "a blob was sent again");

    let pulled = there.json(&["pull", &place]);
    assert_eq!(pulled["file"], "lab-V1.0.ext4");
    assert_eq!(pulled["fetched_chunks"], layers.len());
    let copy = there.path("templates/lab-V1.0.ext4");
    assert_eq!(sha256(&copy), sha256(&template));
    e2fsck_clean(&copy);
    let (was, is) = (fs::metadata(&template).unwrap(), fs::metadata(&copy).unwrap());
    assert!(
        is.blocks() <= was.blocks() + 64,
        "holes became {} blocks, not {}",
        is.blocks(),
        was.blocks()
    );
    assert_eq!(is.permissions().mode() & 0o777, 0o444);
    assert_eq!(fs::read_dir(there.path("templates/pulls")).unwrap().count(), 0);

    let given = registry.blobs_given();
    let by_digest = there.json(&["pull", &reference]);
    assert_eq!(by_digest["was_there"], true);
    assert_eq!(
        registry.blobs_given(),
        given + 1,
        "more than the description was fetched"
    );
    let listed = there.run(&["list"]).stdout;
    assert_eq!(
        String::from_utf8(listed).unwrap(),
        format!("lab-V1.0.ext4       64M  a laboratory (from {place}:latest)\n")
    );
    let info = there.json(&["info", "lab.ext4"]);
    let (_, digest) = reference.split_once('@').unwrap();
    assert_eq!(
        info["source"],
        format!("pulled from {place}:latest ({digest}), no signature was demanded")
    );
    let renamed = there.json(&["pull", &format!("{place}:1.0"), "--name", "copy.ext4"]);
    assert_eq!(renamed["file"], "copy-V1.0.ext4");
    assert_eq!(sha256(&there.path("templates/copy-V1.0.ext4")), sha256(&template));
}

#[test]
fn a_new_version_sends_and_fetches_what_has_changed() {
    let registry = Registry::start();
    let (here, there) = (Home::new(), Home::new());
    let template = here.import_lab(64, 50);
    let place = registry.place("lab");
    here.json(&["push", "lab.ext4", &place]);
    there.json(&["pull", &place]);

    let image = here.path("lab.ext4");
    let file = OpenOptions::new().write(true).open(&image).unwrap();
    // Inside the data of the only large file.
    file.write_all_at(&[7; 4096], 40 << 20).unwrap();
    assert_ne!(sha256(&image), sha256(&template));
    here.json(&["import", "lab.ext4"]);
    let before = registry.blobs_sent();
    let pushed = here.json(&["push", "lab.ext4", &place]);
    assert_eq!(
        pushed["sent_blobs"], 2,
        "more than a chunk and the description: {pushed}"
    );
    assert_eq!(registry.blobs_sent(), before + 2);

    let pulled = there.json(&["pull", &place]);
    assert_eq!(pulled["file"], "lab-V1.1.ext4");
    assert_eq!(
        (&pulled["fetched_chunks"], &pulled["kept_chunks"]),
        (&1.into(), &3.into())
    );
    assert_eq!(sha256(&there.path("templates/lab-V1.1.ext4")), sha256(&image));
    assert_eq!(sha256(&there.path("templates/lab-V1.0.ext4")), sha256(&template));
}

#[test]
fn a_pull_that_is_killed_or_cut_off_goes_on_with_what_it_has() {
    const MIB: u64 = 1 << 20;
    let registry = Registry::start();
    let (here, there) = (Home::new(), Home::new());
    let template = here.import_lab(128, 100);
    here.json(&["push", "lab.ext4", &registry.place("lab:x")]);
    // Four chunks of 16 MiB are on their way at once: with more than 64 MiB written, one is whole.
    let relay = Relay::start(&registry, 80 << 20, End::Silence);
    let mut pull = there
        .command(&["pull", &format!("{}/lab:x", relay.address)])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_for("65 MiB of the template", || {
        let entry = fs::read_dir(there.path("templates/pulls")).ok()?.next()?.unwrap();
        (entry.metadata().unwrap().blocks() * 512 > 65 * MIB && relay.is_at_its_end()).then_some(())
    });
    pull.kill().unwrap();
    pull.wait().unwrap();
    assert_eq!(there.templates(), [""; 0]);

    let relay = Relay::start(&registry, 5 << 20, End::Close);
    let refusal = there.refusal(&["pull", &format!("{}/lab:x", relay.address)]);
    assert!(refusal.contains("the registry"), "{refusal}");
    assert_eq!(there.templates(), [""; 0]);

    let pulled = there.json(&["pull", &registry.place("lab:x")]);
    let count = |name: &str| pulled[name].as_u64().unwrap();
    assert!(count("kept_chunks") >= 1, "{pulled}");
    assert!(count("fetched_chunks") >= 1, "{pulled}");
    assert_eq!(sha256(&there.path("templates/lab-V1.0.ext4")), sha256(&template));
    assert_eq!(fs::read_dir(there.path("templates/pulls")).unwrap().count(), 0);
}

#[test]
fn a_push_that_is_cut_off_sends_the_rest() {
    let registry = Registry::start();
    let here = Home::new();
    here.import_lab(64, 40);
    let place = registry.place("lab:x");
    here.json(&["push", "lab.ext4", &place]);
    let manifest: Value = serde_json::from_slice(&registry.manifest("lab", "x")).unwrap();
    // As if the first push had got so far, and no farther.
    let digest = manifest["layers"][1]["digest"].as_str().unwrap();
    let other = registry.place("other:x");
    let bytes = fs::read(registry.stored(digest)).unwrap();
    registry.put_blob("other", &bytes);
    let pushed = here.json(&["push", "lab.ext4", &other]);
    assert_eq!(pushed["kept_blobs"], 1);
    assert_eq!(pushed["sent_blobs"], manifest["layers"].as_array().unwrap().len());
}

#[test]
fn a_registry_lets_those_in_who_say_who_they_are() {
    let home = Home::new();
    home.import_lab(16, 1);
    let passwords = home.path("passwords");
    write(&passwords, PASSWORDS);
    let registry = Registry::start_with(
        &format!(
            "auth: {{htpasswd: {{realm: lab, path: {}}}}}",
            passwords.display()
        ),
        "",
    );
    let (address, place) = (&registry.address, registry.place("lab:x"));
    let hint = format!(
        "hint: log in with `docker login {address}` or `skopeo login {address}`, or give --username and --password-stdin\n"
    );
    assert_eq!(
        home.refusal(&["push", "lab.ext4", &place]),
        format!("error: the registry `{address}` refuses an unnamed user access to `lab`\n{hint}")
    );
    let with_password = |password: &str| {
        let arguments = [
            "push",
            "lab.ext4",
            &place,
            "--username",
            "ada",
            "--password-stdin",
        ];
        let mut command = home.command(&arguments);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(password.as_bytes())
            .unwrap();
        child.wait_with_output().unwrap()
    };
    let refused = with_password("wrong\n");
    assert_eq!(
        String::from_utf8(refused.stderr).unwrap(),
        format!("error: the registry `{address}` refuses `ada` access to `lab`\n{hint}")
    );
    assert!(with_password("secret\n").status.success());

    let docker = home.path(".docker");
    fs::create_dir(&docker).unwrap();
    let login = format!(r#"{{"auths": {{"{address}": {{"auth": "YWRhOnNlY3JldA=="}}}}}}"#);
    write(&docker.join("config.json"), login);
    assert_eq!(home.json(&["push", "lab.ext4", &place])["sent_blobs"], 0);

    ask_a_helper(&home, &place);
}

/// A program that keeps passwords for docker is asked for one.
fn ask_a_helper(home: &Home, place: &str) {
    write(&home.path(".docker/config.json"), r#"{"credsStore": "lab"}"#);
    let helper = home.path("docker-credential-lab");
    let script = "#!/bin/sh\nread -r server\nprintf '{\"Username\":\"ada\",\"Secret\":\"secret\"}'\n";
    write(&helper, script);
    fs::set_permissions(&helper, fs::Permissions::from_mode(0o755)).unwrap();
    let mut pull = home.command(&["pull", place, "--name", "copy.ext4"]);
    let output = pull.env("PATH", home.0.path()).output().unwrap();
    assert_eq!(output.stdout, b"copy-V1.0.ext4\n", "{output:?}");
}

#[test]
fn tls_is_spoken_where_the_certificate_can_be_trusted_and_never_given_up() {
    let home = Home::new();
    home.import_lab(16, 1);
    make_certificate(home.0.path());
    let file = |name: &str| home.path(name).display().to_string();
    let tls = format!(
        "  tls: {{certificate: {}, key: {}}}",
        file("tls.pem"),
        file("tls.key")
    );
    let registry = Registry::start_with("", &tls);
    let place = registry.place("lab:x");
    let refusal = home.refusal(&["push", "lab.ext4", &place]);
    assert!(refusal.contains("UnknownIssuer"), "{refusal}");
    assert!(
        !registry.log().contains("\"GET /v2/ HTTP"),
        "it went on without TLS"
    );
    home.json(&["push", "lab.ext4", &place, "--ca-file", "tls.pem"]);
    let output = home.run(&["pull", &place, "--ca-file", "tls.pem", "--name", "copy.ext4"]);
    assert_eq!(output.stdout, b"copy-V1.0.ext4\n", "{output:?}");
    let refusal = home.refusal(&["pull", &place, "--ca-file", "passwords"]);
    assert!(refusal.starts_with("error: cannot read `passwords`"), "{refusal}");
}

/// A certificate for 127.0.0.1 that nobody has signed but its own key.
fn make_certificate(directory: &Path) {
    let output = tool("openssl", "openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-days",
            "2",
        ])
        .args([
            "-subj",
            "/CN=lab",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
            "-addext",
            "basicConstraints=critical,CA:FALSE",
            "-keyout",
            "tls.key",
            "-out",
            "tls.pem",
        ])
        .current_dir(directory)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn what_is_not_there_is_said_and_no_tls_elsewhere_is_refused() {
    let registry = Registry::start();
    let home = Home::new();
    let (place, empty) = (registry.place("lab"), registry.place("empty:x"));
    assert_eq!(
        home.refusal(&["pull", &place]),
        format!(
            "error: the registry has no `{place}:latest`\nhint: look at the name and the tag; without a tag, `latest` is meant\n"
        )
    );
    let address = registry.address.clone();
    drop(registry);
    let refusal = home.refusal(&["pull", &empty]);
    assert!(
        refusal.starts_with(&format!("error: cannot reach the registry `{address}`: ")),
        "{refusal}"
    );
    assert!(refusal.contains("Connection refused"), "{refusal}");
    let refusal = home.refusal(&["push", "lab.ext4", &empty]);
    assert!(
        refusal.starts_with("error: there is no template `lab.ext4`"),
        "{refusal}"
    );
    let digest = format!("r.example/lab@sha256:{}", "0".repeat(64));
    home.import_lab(16, 1);
    let refusal = home.refusal(&["push", "lab.ext4", &digest]);
    assert_eq!(
        refusal,
        format!("error: `{digest}` is a digest: a template is pushed under a tag\n")
    );
}
