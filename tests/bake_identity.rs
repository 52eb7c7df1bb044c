//! The identity of a project's machines through whole bakes: the same from bake to bake, told to others beforehand, and
//! nobody's without the secret.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

use crate::support::bakery::Bakery;
use crate::support::families::debian_with_udev;
use crate::support::{BlockSize, ExtKind, debugfs, e2fsck_clean, sha256, tool};

const PROJECT: &str = "global {
    project farm
}
switch lan {
    address 10.0.0.1/24
    dhcp 10.0.0.100 10.0.0.200
}
superclass common {
    template small.ext4
    size 16M
    xen
    network eth0 {
        switch lan
        address dhcp
    }
}
host a {
    superclass common
}
host b {
    superclass common
    network eth0 {
        address 10.0.0.7/24
    }
}
";

/// A template with an ssh server, a project, and places for several sets of projects.
struct Desk {
    bakery: Bakery,
    home: TempDir,
}

impl Desk {
    fn new() -> Self {
        let bakery = Bakery::new();
        let tree = bakery.path("tree");
        fs::create_dir(&tree).unwrap();
        debian_with_udev().write_below(&tree);
        bakery.make_template(ExtKind::Ext4, BlockSize(4096), 16 << 20);
        let desk = Self {
            bakery,
            home: tempfile::tempdir().unwrap(),
        };
        desk.put("farm.mln", PROJECT);
        desk
    }

    fn put(&self, name: &str, text: &str) {
        let mut file = fs::File::create(self.path(name)).unwrap();
        std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn run(&self, projects: &str, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_mln-image"))
            .env_clear()
            .env("HOME", self.home.path())
            .env("PASSWORD", "correct horse")
            .args(arguments)
            .arg("-P")
            .arg(self.path(projects))
            .arg("-T")
            .arg(self.bakery.path("templates"))
            .current_dir(self.home.path())
            .output()
            .unwrap()
    }

    #[track_caller]
    fn bake(&self, projects: &str, arguments: &[&str]) -> PathBuf {
        let output = self.run(
            projects,
            &[&["bake", "farm.mln", "--no-sync"], arguments].concat(),
        );
        assert!(output.status.success(), "{output:?}");
        self.path(projects).join("farm")
    }
}

fn digests(project: &Path) -> Vec<String> {
    ["a", "b"]
        .iter()
        .map(|host| sha256(&project.join(host).join("root.img")).to_string())
        .collect()
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn hosts_differ_and_ssh_clients_know_them_before_they_start() {
    let desk = Desk::new();
    let project = desk.bake("one", &[]);
    let image = |host: &str| project.join(host).join("root.img");
    let cat = |host: &str, path: &str| debugfs(&image(host), &format!("cat {path}"));
    for path in ["/etc/machine-id", "/etc/ssh/ssh_host_ed25519_key.pub"] {
        assert_ne!(cat("a", path), cat("b", path));
    }
    let known = project.join("known_hosts");
    for host in ["a", "b"] {
        e2fsck_clean(&image(host));
        for kind in ["ed25519", "ecdsa"] {
            let public = desk.path("public");
            desk.put("public", &cat(host, &format!("/etc/ssh/ssh_host_{kind}_key.pub")));
            let fingerprint = |arguments: &[&str], file: &Path| -> Vec<String> {
                let output = tool("ssh-keygen", "openssh-client")
                    .args(arguments)
                    .arg(file)
                    .output()
                    .unwrap();
                let said = String::from_utf8(output.stdout).unwrap();
                let words = said.split_whitespace();
                words
                    .filter(|word| word.starts_with("SHA256:"))
                    .map(str::to_owned)
                    .collect()
            };
            let own = fingerprint(&["-l", "-f"], &public);
            assert_eq!(own.len(), 1);
            let told = fingerprint(&["-l", "-F", host, "-f"], &known);
            assert!(told.contains(&own[0]), "{told:?} {own:?}");
        }
    }
    assert_eq!(
        text(&project.join("etc_hosts")),
        "# Written by mln-image from the project's description.\n10.0.0.100\ta a.farm\n10.0.0.7\tb b.farm\n"
    );
    assert!(text(&known).contains("\nb,b.farm,10.0.0.7 ecdsa-sha2-nistp256 "));
    assert!(cat("b", "/etc/hosts").contains("10.0.0.100\ta a.farm\n"));
}

#[test]
fn dnsmasq_takes_its_configuration() {
    let desk = Desk::new();
    desk.put("secret", "0123456789abcdef0123456789abcdef\n");
    let project = desk.bake("one", &["--secret-file", "secret"]);
    let file = project.join("dnsmasq.lan.conf");
    let shown = text(&file).replace(project.to_str().unwrap(), "DIRECTORY");
    insta::assert_snapshot!("dnsmasq_conf", shown);
    let output = tool("dnsmasq", "dnsmasq-base")
        .arg("--test")
        .arg("-C")
        .arg(&file)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let mac = text(&project.join("a/xl.cfg"));
    let mac = mac
        .split("mac=")
        .nth(1)
        .unwrap()
        .split(',')
        .next()
        .unwrap()
        .to_owned();
    assert!(
        shown.contains(&format!("dhcp-host={mac},10.0.0.100,a\n")),
        "{mac} {shown}"
    );
}

#[test]
fn a_drawn_secret_is_kept_and_a_given_one_makes_the_same_bytes_anywhere() {
    let desk = Desk::new();
    let one = desk.bake("one", &[]);
    let key = one.join("identity.key");
    assert_eq!(fs::metadata(&key).unwrap().permissions().mode() & 0o777, 0o600);
    let (before, drawn) = (digests(&one), text(&key));
    desk.bake("one", &["--fresh", "--replace"]);
    assert_eq!((digests(&one), text(&key)), (before.clone(), drawn));
    assert_ne!(digests(&desk.bake("two", &[])), before);

    desk.put("secret", "0123456789abcdef0123456789abcdef\n");
    let three = desk.bake("three", &["--secret-file", "secret", "--jobs", "1"]);
    assert!(!three.join("identity.key").exists());
    let with_keyword = PROJECT.replace("project farm\n", "project farm\n    secret secret\n");
    desk.put("farm.mln", &with_keyword);
    assert_eq!(digests(&desk.bake("four", &["--jobs", "4"])), digests(&three));
    desk.put("secret", "short\n");
    let output = desk.run("five", &["bake", "farm.mln"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        String::from_utf8(output.stderr).unwrap(),
        "error: the secret in `secret` is shorter than 16 bytes\n\
         hint: make one by: head -c 32 /dev/urandom | base64 >secret\n"
    );
}

#[test]
fn plan_shows_neither_keys_nor_passwords_nor_what_is_not_drawn_yet() {
    let desk = Desk::new();
    desk.put("pass", "correct horse\n");
    let arguments = [
        "plan",
        "farm.mln",
        "--diff",
        "--host",
        "a",
        "--password-file",
        "root=pass",
    ];
    let output = desk.run("one", &arguments);
    assert!(output.status.success(), "{output:?}");
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        shown.contains("content: a private key, which is not shown\n"),
        "{shown}"
    );
    assert!(shown.contains("content: drawn at the first bake\n"), "{shown}");
    assert!(
        shown.contains("  family debian: `/etc/os-release` says ID=debian\n"),
        "{shown}"
    );
    assert!(
        shown.contains("  network by ifupdown: `/sbin/ifup` is installed\n"),
        "{shown}"
    );
    assert!(
        shown.contains("because of --password-file root=pass\n"),
        "{shown}"
    );
    for secret in ["horse", "PRIVATE KEY", "$6$", "$y$"] {
        assert!(!shown.contains(secret), "{secret} {shown}");
    }
    assert!(!desk.path("one").exists());
}

#[test]
fn passwords_come_from_files_and_variables_and_stand_in_no_manifest() {
    let desk = Desk::new();
    desk.put("pass", "correct horse\nsecond line\n");
    let project = desk.bake("one", &["--password-file", "root=pass"]);
    let other = desk.bake("one", &["--password-env", "root=PASSWORD", "--replace"]);
    assert_eq!(project, other);
    let shadow = debugfs(&project.join("a/root.img"), "cat /etc/shadow");
    let hash = shadow.split(':').nth(1).unwrap();
    assert!(hash.starts_with("$6$"), "{hash}");
    for file in ["manifest.json", "farm.mln", "a/xl.cfg"] {
        let text = text(&project.join(file));
        assert!(!text.contains("horse") && !text.contains(hash), "{file}");
    }
    for (arguments, message) in [
        (
            ["--password-env", "root=NONE"],
            "error: the environment variable `NONE` is not set\n",
        ),
        (
            ["--password-file", "eve=pass"],
            "error: no host of the project has a user `eve`\nhint: write the account into the project: users { eve }\n",
        ),
    ] {
        let output = desk.run("two", &["bake", "farm.mln", arguments[0], arguments[1]]);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(String::from_utf8(output.stderr).unwrap(), message);
    }
}

#[test]
fn a_project_that_spells_out_a_password_is_kept_for_its_owner_alone() {
    let desk = Desk::new();
    let mode = |project: &Path| {
        let text = project.join("farm.mln");
        fs::metadata(text).unwrap().permissions().mode() & 0o777
    };
    assert_ne!(mode(&desk.bake("one", &[])), 0o600);
    let text = PROJECT.replace("    xen\n", "    xen\n    root_password plain:correct horse\n");
    desk.put("farm.mln", &text);
    let project = desk.bake("one", &["--replace"]);
    assert_eq!(mode(&project), 0o600);
    assert!(!self::text(&project.join("manifest.json")).contains("horse"));
    // It is made so again, even if nothing else is to do.
    fs::set_permissions(project.join("farm.mln"), fs::Permissions::from_mode(0o644)).unwrap();
    assert_eq!(mode(&desk.bake("one", &["--replace"])), 0o600);
}

#[test]
fn the_manifest_names_the_plugins_that_ran_with_their_digests() {
    let desk = Desk::new();
    let text = PROJECT.replace("    xen\n", "    xen\n    internal_swap 1M\n");
    desk.put("farm.mln", &text);
    let manifest = text_of_manifest(&desk.bake("one", &[]));
    let plugin = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/plugin/bundled/internal_swap.lua");
    let wanted = format!(
        "  \"plugins\": [\n    {{\n      \"name\": \"internal_swap\",\n      \"sha256\": \"{}\"\n    }}\n  ],\n",
        sha256(&plugin)
    );
    assert!(manifest.contains(&wanted), "{manifest}");
    desk.put("farm.mln", PROJECT);
    assert!(!text_of_manifest(&desk.bake("one", &["--replace"])).contains("\"plugins\""));
}

fn text_of_manifest(project: &Path) -> String {
    text(&project.join("manifest.json"))
}

#[test]
fn file_systems_have_a_uuid_of_their_own_unless_the_guest_starts_by_the_templates() {
    let desk = Desk::new();
    let tree = desk.bakery.path("tree");
    let template = desk
        .bakery
        .make_template(ExtKind::Ext3, BlockSize(4096), 16 << 20);
    let uuid = |image: &Path| {
        let output = tool("dumpe2fs", "e2fsprogs")
            .arg("-h")
            .arg(image)
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let line = text.lines().find(|line| line.starts_with("Filesystem UUID:"));
        line.unwrap().split_whitespace().last().unwrap().to_owned()
    };
    desk.put("farm.mln", &PROJECT.replace("small.ext4", "small.ext3"));
    desk.put("secret", "0123456789abcdef0123456789abcdef\n");
    let secret = ["--secret-file", "secret", "--replace"];
    let project = desk.bake("one", &secret);
    let images = ["a", "b"].map(|host| project.join(host).join("root.img"));
    for image in &images {
        e2fsck_clean(image);
    }
    let [a, b] = images.map(|image| uuid(&image));
    assert!(a != b && a != uuid(&template) && b != uuid(&template), "{a} {b}");
    let again = desk.bake("two", &secret);
    assert_eq!(uuid(&again.join("a/root.img")), a);

    let boot = tree.join("boot/grub");
    fs::create_dir_all(&boot).unwrap();
    let line = format!(
        "linux /vmlinuz root=UUID={} ro\n",
        "00112233-4455-4677-8899-aabbccddeeff"
    );
    fs::File::create(boot.join("grub.cfg"))
        .and_then(|mut file| std::io::Write::write_all(&mut file, line.as_bytes()))
        .unwrap();
    let template = desk
        .bakery
        .make_template(ExtKind::Ext3, BlockSize(4096), 16 << 20);
    let output = tool("tune2fs", "e2fsprogs")
        .args(["-U", "00112233-4455-4677-8899-aabbccddeeff"])
        .arg(&template)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let project = desk.bake("one", &secret);
    assert_eq!(uuid(&project.join("a/root.img")), uuid(&template));
}
