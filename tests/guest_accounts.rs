//! Users, groups and passwords: what is written, what is kept, and what Debian's own programs say to it.

use mln_image::base::{GuestPath, Sourced};
use mln_image::project::{Account, Host, Password};

use crate::support::accounts::{after_commands, check, files};
use crate::support::debian::{NOW, baked, configured, debian};
use crate::support::memory_guest::MemoryGuest;
use crate::support::project::{account, at, group, host, of, project};

/// The article's hash, one letter short of a real one.
const HASH: &str = "j9faj823dHda";

/// A host with these users and groups.
fn with(users: Vec<Sourced<Account>>, groups: Vec<Sourced<mln_image::project::Group>>) -> Host {
    Host {
        users,
        groups,
        ..host("a")
    }
}

/// The guest after `host` is baked from it, approved by pwck and grpck.
#[track_caller]
fn bake(host: &Host, guest: &MemoryGuest) -> MemoryGuest {
    let after = baked(&project("p", [host.clone()]), host, guest);
    check(&after);
    after
}

#[test]
fn new_user_and_group_are_as_useradd_and_groupadd_make_them() {
    let host = with(
        vec![account("john", Some(HASH)), account("ann", None)],
        vec![group("admin", &["john"]), group("sudo", &["john", "ann"])],
    );
    let after = bake(&host, &debian());
    let hash = format!("useradd -M -s /bin/bash -p {HASH} john");
    let judged = after_commands(
        &debian(),
        NOW,
        &[
            &hash,
            "useradd -M -s /bin/bash ann",
            "groupadd admin",
            "usermod -a -G admin,sudo john",
            "usermod -a -G sudo ann",
        ],
    );
    assert_eq!(files(&after), judged);
    assert!(
        after
            .text("/etc/shadow")
            .contains("john:j9faj823dHda:20454:0:99999:7:::\n")
    );
    assert!(!after.text("/etc/passwd").contains(HASH));
}

#[test]
fn home_is_the_skeleton_with_owner_and_modes() {
    let host = with(vec![account("john", Some(HASH))], vec![]);
    let after = bake(&host, &debian());
    assert_eq!(
        after.changes_since(&debian()),
        "~ -0644 0:0 /etc/fstab\n\
         ~ -0644 0:0 /etc/group\n\
         ~ -0640 0:42 /etc/gshadow\n\
         ~ -0644 0:0 /etc/hostname\n\
         ~ -0644 0:0 /etc/hosts\n\
         + -0444 0:0 /etc/machine-id\n\
         ~ -0644 0:0 /etc/passwd\n\
         ~ -0640 0:42 /etc/shadow\n\
         + d0755 1000:1000 /home/john\n\
         + -0644 1000:1000 /home/john/.bashrc\n\
         + l0777 1000:1000 /home/john/.rc -> .bashrc\n\
         + d0700 1000:1000 /home/john/bin\n\
         + -0750 1000:1000 /home/john/bin/hello\n"
    );
    assert_eq!(after.text("/home/john/.bashrc"), "# rc\n");
}

#[test]
fn home_mode_follows_login_defs_and_home_leads_through_links() {
    let mut guest = debian();
    guest
        .file("/etc/login.defs", "HOME_MODE 0700\n")
        .without("/etc/skel")
        .without("/home")
        .link("/home", "srv/home");
    let after = bake(&with(vec![account("john", None)], vec![]), &guest);
    assert!(
        after
            .changes_since(&guest)
            .contains("+ d0700 1000:1000 /srv/home/john\n")
    );
    assert!(
        after
            .text("/etc/passwd")
            .ends_with("john:x:1000:1000::/home/john:/bin/bash\n")
    );
}

#[test]
fn existing_users_get_the_hash_and_keep_the_rest() {
    let mut guest = debian();
    guest
        .file(
            "/etc/passwd",
            "root:x:0:0:root:/root:/bin/bash\njoe:x:1000:1000:Joe,,,:/srv/joe:/bin/zsh\n",
        )
        .file(
            "/etc/shadow",
            "root:*:19000:0:99999:7:::\njoe:old:18000:1:90:5::30000:\n",
        )
        .own("/etc/shadow", 0o600, 0, 7)
        .file("/etc/group", "root:x:0:\nsudo:x:27:joe\njoe:x:1000:\n")
        .file("/etc/gshadow", "root:*::\nsudo:*::joe\njoe:!::\n");
    let host = with(
        vec![account("joe", Some(HASH)), account("root", None)],
        vec![group("joe", &[])],
    );
    let after = bake(&host, &guest);
    assert_eq!(
        after.text("/etc/shadow"),
        "root:*:19000:0:99999:7:::\njoe:j9faj823dHda:20454:1:90:5::30000:\n"
    );
    for path in ["/etc/passwd", "/etc/group", "/etc/gshadow"] {
        assert_eq!(after.text(path), guest.text(path), "{path}");
    }
    assert!(after.changes_since(&guest).contains("~ -0600 0:7 /etc/shadow\n"));
}

#[test]
fn same_hash_keeps_the_day_of_its_change() {
    let mut guest = debian();
    guest.file("/etc/shadow", format!("root:{HASH}:18000:0:99999:7:::\n"));
    let host = Host {
        root_password: Some(of(Password::Hash(HASH.to_owned()))),
        ..host("a")
    };
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(after.text("/etc/shadow"), guest.text("/etc/shadow"));
}

#[test]
fn root_password_goes_to_shadow_and_to_passwd_only_where_no_shadow_is() {
    let host = Host {
        root_password: Some(of(Password::Hash("$y$j9T$salt$hash".to_owned()))),
        ..host("a")
    };
    let after = bake(&host, &debian());
    assert!(
        after
            .text("/etc/shadow")
            .starts_with("root:$y$j9T$salt$hash:20454:0:99999:7:::\n")
    );
    assert_eq!(after.text("/etc/passwd"), debian().text("/etc/passwd"));

    let mut bare = debian();
    bare.without("/etc/shadow").without("/etc/gshadow");
    let after = baked(&project("p", []), &host, &bare);
    assert!(
        after
            .text("/etc/passwd")
            .starts_with("root:$y$j9T$salt$hash:0:0:root:/root:/bin/bash\n")
    );
    let host = with(vec![account("john", None)], vec![group("sudo", &["john"])]);
    let after = baked(&project("p", []), &host, &bare);
    assert!(
        after
            .text("/etc/passwd")
            .ends_with("john:!:1000:1000::/home/john:/bin/bash\n")
    );
    assert!(after.text("/etc/group").contains("sudo:x:27:john\n"));
}

#[test]
fn numbers_are_free_ones_and_given_ones_are_kept_for_their_users() {
    let mut guest = debian();
    guest.file(
        "/etc/passwd",
        "root:x:0:0:root:/root:/bin/bash\nx:x:1001:0::/:/bin/sh\ny:x:1001:0::/:/bin/sh\n",
    );
    guest.file(
        "/etc/shadow",
        "root:*::::::: \nx:*:::::::\ny:*:::::::\n".replace(' ', ""),
    );
    guest.file("/etc/group", "root:x:0:\ntaken:x:1003:\nsudo:x:27:\n");
    guest.file("/etc/gshadow", "root:*::\ntaken:*::\nsudo:*::\n");
    let given = |name: &str, uid, home: &str| {
        let mut account = account(name, None);
        account.value.uid = Some(uid);
        account.value.home = Some(GuestPath::literal(home));
        account
    };
    let users = vec![
        account("auto", None),
        given("fixed", 1000, "/srv/fixed"),
        given("shared", 1000, "/srv/fixed"),
        account("next", None),
        given("taken", 5000, "/home/t"),
    ];
    let after = bake(&with(users, vec![]), &guest);
    let rows = after
        .text("/etc/passwd")
        .lines()
        .skip(3)
        .collect::<Vec<_>>()
        .join("\n");
    assert_eq!(
        rows,
        "auto:x:1002:1002::/home/auto:/bin/bash\n\
         fixed:x:1000:1000::/srv/fixed:/bin/bash\n\
         shared:x:1000:1001::/srv/fixed:/bin/bash\n\
         next:x:1003:1004::/home/next:/bin/bash\n\
         taken:x:5000:1003::/home/t:/bin/bash"
    );
}

#[test]
fn new_home_of_an_existing_user_is_made_and_old_files_are_left() {
    let mut guest = debian();
    guest.file("/srv/www/index", "");
    let mut user = account("www-data", None);
    user.value.home = Some(GuestPath::literal("/srv/new"));
    let after = bake(&with(vec![user.clone()], vec![]), &guest);
    assert!(
        after
            .text("/etc/passwd")
            .contains("www-data:x:33:33:www-data:/srv/new:/usr/sbin/nologin\n")
    );
    assert!(after.changes_since(&guest).contains("+ d0755 33:33 /srv/new\n"));
    user.value.home = Some(GuestPath::literal("/srv/www"));
    let after = bake(&with(vec![user], vec![]), &guest);
    assert!(!after.changes_since(&guest).contains("/srv/www"));
}

#[test]
fn unknown_rows_and_bytes_survive() {
    let mut guest = debian();
    let passwd = b"# comment\n\nroot:x:0:0:r\xf6\xf6t:/root:/bin/bash\nbroken:row\n+@admins::::::\n+::::::";
    guest.file("/etc/passwd", passwd);
    guest.file("/etc/group", "root:x:0:\nwheel:x:10:root,,root,nobody\n+:::\n");
    guest.file("/etc/gshadow", "root:*::\nwheel:!:root:root\n");
    let host = with(
        vec![account("broken", None)],
        vec![group("wheel", &["broken", "broken"])],
    );
    let after = baked(&project("p", []), &host, &guest);
    let path = GuestPath::literal("/etc/passwd");
    let written = mln_image::edit::GuestView::read(&after, &path).unwrap().unwrap();
    let expected: &[u8] = b"# comment\n\nroot:x:0:0:r\xf6\xf6t:/root:/bin/bash\nbroken:row\n\
        broken:x:1000:1000::/home/broken:/bin/bash\n+@admins::::::\n+::::::\n";
    assert_eq!(written, expected);
    assert_eq!(
        after.text("/etc/group"),
        "root:x:0:\nwheel:x:10:root,nobody,broken\nbroken:x:1000:\n+:::\n"
    );
    assert_eq!(
        after.text("/etc/gshadow"),
        "root:*::\nwheel:!:root:root,broken\nbroken:!::\n"
    );
}

#[test]
fn group_password_outside_gshadow_is_kept() {
    let mut guest = debian();
    guest.file("/etc/group", "root:x:0:\nold:HASH:50:\nnew:x:51:\n");
    guest.file("/etc/gshadow", "root:*::\n");
    let host = with(vec![], vec![group("old", &["root"]), group("new", &["root"])]);
    let after = baked(&project("p", []), &host, &guest);
    assert_eq!(
        after.text("/etc/group"),
        "root:x:0:\nold:HASH:50:root\nnew:x:51:root\n"
    );
    assert_eq!(after.text("/etc/gshadow"), "root:*::\nnew:!::root\n");
}

#[test]
fn shell_is_bash_where_the_template_has_it() {
    let mut guest = debian();
    guest.without("/usr/bin/bash");
    let after = baked(
        &project("p", []),
        &with(vec![account("john", None)], vec![]),
        &guest,
    );
    assert!(
        after
            .text("/etc/passwd")
            .ends_with("john:x:1000:1000::/home/john:/bin/sh\n")
    );
}

#[test]
fn accounts_that_cannot_be_are_errors_with_their_line() {
    let colon = account("john", Some("a:b"));
    let mut line_break = account("john", None);
    line_break.value.home = Some(GuestPath::literal("/home/a\nb"));
    let mut uid = account("www-data", None);
    uid.value.uid = Some(5000);
    let long = "x".repeat(33);
    for (users, groups, message) in [
        (
            vec![colon],
            vec![],
            "the password hash of `john` has a colon, a line break or another control character (p.mln:4: john)",
        ),
        (
            vec![line_break],
            vec![],
            "the home directory of `john` has a colon, a line break or another control character (p.mln:4: john)",
        ),
        (
            vec![uid],
            vec![],
            "user `www-data` has uid 33 in the template, and the project asks for 5000 (p.mln:4: www-data)",
        ),
        (
            vec![account("../x", None)],
            vec![],
            "`../x` cannot be the name of a user (p.mln:4: ../x)",
        ),
        (
            vec![],
            vec![group("-g", &[])],
            "`-g` cannot be the name of a group (p.mln:5: -g)",
        ),
        (
            vec![],
            vec![group(&long, &[])],
            &*format!("`{long}` cannot be the name of a group (p.mln:5: {long})"),
        ),
        (
            vec![],
            vec![group("sudo", &["bob"])],
            "group `sudo` lists `bob`, who is a user of neither the template nor the project (p.mln:6: bob)",
        ),
    ] {
        let host = with(users, groups);
        let error = configured(&project("p", []), &host, &debian()).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}

#[test]
fn template_without_free_numbers_or_account_files_is_an_error() {
    let mut full = debian();
    full.file("/etc/login.defs", "UID_MIN 1000\nUID_MAX 1000\n");
    let host = with(vec![account("a", None), account("b", None)], vec![]);
    let error = configured(&project("p", []), &host, &full).unwrap_err();
    assert_eq!(
        error.to_string(),
        "no free uid from 1000 to 1000 for `b` (p.mln:4: b)"
    );

    let mut bare = debian();
    bare.without("/etc/passwd");
    let error = configured(&project("p", []), &host, &bare).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has no `/etc/passwd`, which `users` needs"
    );
    let host = Host {
        root_password: Some(at(9, "root_password x", Password::Hash("x".to_owned()))),
        ..crate::support::project::host("a")
    };
    let error = configured(&project("p", []), &host, &bare).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the template has no `/etc/passwd`, which `root_password` needs"
    );
}

#[test]
fn every_account_file_names_the_lines_that_changed_it() {
    let host = with(
        vec![account("john", Some(HASH)), account("ann", None)],
        vec![group("sudo", &["ann"])],
    );
    let edits = configured(&project("p", []), &host, &debian()).unwrap().edits;
    let origins = |path: &str| {
        let edit = edits.get(&GuestPath::literal(path)).unwrap();
        edit.origins.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(origins("/etc/shadow"), ["p.mln:4: john", "p.mln:4: ann"]);
    assert_eq!(
        origins("/etc/group"),
        ["p.mln:4: john", "p.mln:4: ann", "p.mln:6: ann"]
    );
    assert_eq!(origins("/home/ann"), ["p.mln:4: ann"]);
}
