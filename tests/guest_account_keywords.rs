//! The keywords of an account's block, from the project's text to the guest's files, as Debian's own programs judge
//! them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use mln_image::project::{LoadOptions, Project, TextLoader, load};

use crate::support::accounts;
use crate::support::debian::{baked, configured, debian};
use crate::support::families::{all, debian_with_udev};
use crate::support::memory_guest::MemoryGuest;
use crate::support::tool;

/// The public key of nobody.
const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ ada@desk";

/// The project whose only host has these lines.
fn project_of(lines: &str) -> Project {
    let text = format!("global {{\n project p\n}}\nhost a {{\n template t\n xen\n{lines}\n}}\n");
    let loader: TextLoader = [("p.mln".to_owned(), text)].into_iter().collect();
    let loaded = load(&loader, "p.mln", &LoadOptions::default());
    loaded
        .project
        .unwrap_or_else(|| panic!("{:?}", loaded.diagnostics))
}

fn baked_with(lines: &str, guest: &MemoryGuest) -> MemoryGuest {
    let project = project_of(lines);
    baked(&project, &project.hosts.at(0), guest)
}

/// Everything that an account can be given.
fn whole() -> String {
    format!(
        "users {{\n ada {{\n  uid 2000\n  gid www-data\n  shell /bin/sh\n  home /srv/ada\n  gecos Ada Lovelace\n  \
         expires 2030-12-31\n  sudo nopasswd\n  groups adm sudo\n  key {KEY}\n  subuid 100000 65536\n  \
         subgid 200000 65536\n  password plain:correct horse\n }}\n robot {{\n  system\n }}\n eve {{\n  locked\n  \
         password plain:x\n }}\n}}"
    )
}

#[test]
fn every_keyword_reaches_its_file() {
    let template = debian_with_udev();
    let guest = baked_with(&whole(), &template);
    let rows = |path: &str, name: &str| -> String {
        let text = guest.text(path);
        let rows: Vec<&str> = text.lines().filter(|row| row.starts_with(name)).collect();
        rows.join("\n")
    };
    assert_eq!(
        rows("/etc/passwd", "ada:"),
        "ada:x:2000:33:Ada Lovelace:/srv/ada:/bin/sh"
    );
    assert_eq!(
        rows("/etc/passwd", "robot:"),
        "robot:x:999:999::/home/robot:/bin/false"
    );
    assert_eq!(
        rows("/etc/passwd", "eve:"),
        "eve:x:1000:1000::/home/eve:/bin/bash"
    );
    let ada = rows("/etc/shadow", "ada:");
    assert!(
        ada.starts_with("ada:$6$") && ada.ends_with(":20454:0:99999:7::22279:"),
        "{ada}"
    );
    assert_eq!(rows("/etc/shadow", "robot:"), "robot:!:20454::::::");
    assert!(rows("/etc/shadow", "eve:").starts_with("eve:!$6$"));
    assert_eq!(rows("/etc/group", "adm:"), "adm:x:4:ada");
    assert_eq!(rows("/etc/group", "sudo:"), "sudo:x:27:ada");
    assert_eq!(guest.text("/etc/subuid"), "ada:100000:65536\n");
    assert_eq!(guest.text("/etc/subgid"), "ada:200000:65536\n");
    assert_eq!(guest.text("/srv/ada/.ssh/authorized_keys"), format!("{KEY}\n"));
    let changes = guest.changes_since(&template);
    for line in [
        "+ d0700 2000:33 /srv/ada/.ssh\n",
        "+ -0600 2000:33 /srv/ada/.ssh/authorized_keys\n",
        "+ -0440 0:0 /etc/sudoers.d/mln-image\n",
        "~ -0640 0:42 /etc/shadow\n",
    ] {
        assert!(changes.contains(line), "{line}{changes}");
    }
    assert!(!changes.contains("/home/robot"));
    accounts::check(&guest);
}

#[test]
fn system_accounts_are_as_useradd_makes_them() {
    let guest = baked_with(
        "users {\n robot {\n  system\n  shell /usr/sbin/nologin\n }\n}",
        &debian_with_udev(),
    );
    let by_useradd = accounts::after_commands(
        &debian_with_udev(),
        crate::support::debian::NOW,
        &["useradd -r -s /usr/sbin/nologin robot"],
    );
    assert_eq!(accounts::files(&guest), by_useradd);
}

#[test]
fn visudo_accepts_the_rules_and_ssh_keygen_the_keys() {
    let text = format!(
        "users {{\n ada {{\n  sudo nopasswd\n  key {KEY}\n }}\n bob {{\n  sudo\n }}\n cid {{\n  sudo ALL=(root) \
         /usr/bin/apt\n }}\n}}"
    );
    let guest = baked_with(&text, &debian_with_udev());
    let directory = tempfile::tempdir().unwrap();
    guest.write_below(directory.path());
    let rules = directory.path().join("etc/sudoers.d/mln-image");
    assert_eq!(fs::metadata(&rules).unwrap().permissions().mode() & 0o777, 0o440);
    assert_eq!(
        guest.text("/etc/sudoers.d/mln-image"),
        "# Written by mln-image from the project's description.\n\
         ada ALL=(ALL:ALL) NOPASSWD: ALL\n\
         bob ALL=(ALL:ALL) ALL\n\
         cid ALL=(root) /usr/bin/apt\n"
    );
    let output = tool("visudo", "sudo")
        .arg("-c")
        .arg("-f")
        .arg(&rules)
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let keys = directory.path().join("home/ada/.ssh/authorized_keys");
    let output = tool("ssh-keygen", "openssh-client")
        .arg("-l")
        .arg("-f")
        .arg(&keys)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.starts_with("256 SHA256:") && said.ends_with(" ada@desk (ED25519)\n"),
        "{said}"
    );
}

/// Whether the C library's crypt makes `hash` of `password` again.
fn crypt_agrees(password: &str, hash: &str) -> bool {
    let output = Command::new("perl")
        .args([
            "-e",
            "exit(crypt($ARGV[0], $ARGV[1]) ne $ARGV[1])",
            password,
            hash,
        ])
        .status();
    output.unwrap().success()
}

#[test]
fn plain_passwords_become_the_best_hash_that_the_guest_knows() {
    let mut modern = debian_with_udev();
    modern
        .file("/usr/lib/x86_64-linux-gnu/libcrypt.so.1.1.0", "")
        .file(
            "/etc/pam.d/common-password",
            "password [success=1] pam_unix.so obscure yescrypt\n",
        );
    let hash_in = |guest: &MemoryGuest, lines: &str| -> String {
        let shadow = baked_with(lines, guest).text("/etc/shadow");
        let row = shadow
            .lines()
            .find(|row| row.starts_with("root:"))
            .unwrap()
            .to_owned();
        row.split(':').nth(1).unwrap().to_owned()
    };
    let lines = "root_password plain:correct horse # battery";
    for (guest, method) in [(&modern, "$y$j9T$"), (&debian_with_udev(), "$6$")] {
        let hash = hash_in(guest, lines);
        assert!(hash.starts_with(method), "{hash}");
        assert!(crypt_agrees("correct horse", &hash), "{hash}");
        assert!(!crypt_agrees("correct horses", &hash));
        assert_eq!(hash, hash_in(guest, lines));
        assert_ne!(hash, hash_in(guest, "root_password plain:other"));
    }
    let (_, alpine) = all()
        .into_iter()
        .find(|(name, _)| *name == "alpine_openrc")
        .unwrap();
    assert!(hash_in(&alpine, lines).starts_with("$6$"));
}

#[test]
fn a_plain_password_stands_in_no_origin() {
    let project = project_of("root_password plain:correct horse\nusers {\n ada plain:secret\n}");
    let found = configured(&project, &project.hosts.at(0), &debian_with_udev()).unwrap();
    for edit in found.edits.iter() {
        for origin in &edit.origins {
            let text = origin.to_string();
            assert!(!text.contains("horse") && !text.contains("secret"), "{text}");
        }
    }
}

#[test]
fn keys_that_are_there_stay_and_numbers_are_not_shared() {
    let mut guest = debian_with_udev();
    guest
        .file("/root/.ssh/authorized_keys", "ssh-rsa AAAA old@desk")
        .own("/root/.ssh", 0o700, 0, 0)
        .file("/etc/subuid", "bob:100000:65536\n");
    let after = baked_with(&format!("users {{\n root {{\n  key {KEY}\n }}\n}}"), &guest);
    assert_eq!(
        after.text("/root/.ssh/authorized_keys"),
        format!("ssh-rsa AAAA old@desk\n{KEY}\n")
    );
    let project = project_of("users {\n ada {\n  subuid 165535 10\n }\n}");
    let error = configured(&project, &project.hosts.at(0), &guest).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`ada` and `bob` would share numbers in `/etc/subuid` (p.mln:8: ada {)"
    );
}

#[test]
fn what_a_guest_cannot_give_an_account_is_an_error_or_a_warning() {
    let (_, busybox) = all().pop().unwrap();
    let project = project_of("users {\n ada {\n  expires 2030-12-31\n }\n}");
    let found = configured(&project, &project.hosts.at(0), &busybox).unwrap();
    assert_eq!(
        found.warnings[0].to_string(),
        "the template has no `/etc/shadow`, so that `ada` does not expire (p.mln:8: ada {)"
    );
    for (lines, message) in [
        (
            "sudo",
            "the template has no `/etc/sudoers`: it lacks `sudo`, for which there are rules (p.mln:8: ada {)",
        ),
        (
            "groups wheels",
            "`ada` asks for group `wheels`, which neither the template nor the project has (p.mln:8: ada {)",
        ),
    ] {
        let project = project_of(&format!("users {{\n ada {{\n  {lines}\n }}\n}}"));
        let error = configured(&project, &project.hosts.at(0), &busybox).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn a_hash_of_any_form_is_written_as_it_is_and_the_system_logs_in_with_it() {
    let hashes = [
        "ab01FAX.bQRSU",
        "$1$abcdefgh$irWbblnpmw.5z7wgBnprh0",
        "$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc8",
        "$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
        "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW",
        "$y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G317fhZg9SqC.5i5rd.RhAtQ7",
        "!$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjlO/O817G3uBnIFNjnQJuesI68OTLiBFdcbYEdFCoEOfaS35inz1",
        "*",
    ];
    let lines: Vec<String> = (0..)
        .zip(hashes)
        .map(|(place, hash)| format!(" u{place} {hash}\n"))
        .collect();
    let guest = baked_with(&format!("users {{\n{}}}", lines.concat()), &debian());
    for (place, hash) in (0..).zip(hashes) {
        let shadow = guest.text("/etc/shadow");
        assert!(
            shadow.contains(&format!("\nu{place}:{hash}:")),
            "{hash} in {shadow}"
        );
        // A setting that crypt does not know gives a failure token, which begins with a star.
        let output = tool("perl", "perl-base")
            .args([
                "-e",
                "my $made = crypt('x', $ARGV[0]); print defined $made ? $made : '*'",
                hash,
            ])
            .output()
            .unwrap();
        let made = String::from_utf8(output.stdout).unwrap();
        let method = hash
            .rsplit_once('$')
            .map_or(&hash[..2.min(hash.len())], |(method, _)| method);
        assert_eq!(
            made.starts_with(method) && !made.starts_with('*'),
            !hash.starts_with(['!', '*']),
            "{hash} {made}"
        );
    }
}
