//! Templates whose files have labels of `SELinux`: new files get the one that the template's own policy gives them,
//! else their directory's; debugfs judges.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use mln_image::base::{GuestPath, Sourced};
use mln_image::project::{FileCopy, Host};

use crate::support::bakery::Bakery;
use crate::support::debian::debian;
use crate::support::program::image_answer;
use crate::support::project::{at, host, of, project};
use crate::support::{BlockSize, ExtKind, debugfs, debugfs_write, e2fsck_clean};

const POLICY: &str = "\
/.*\t\tsystem_u:object_r:default_t:s0
/etc/.*\t\tsystem_u:object_r:etc_t:s0
/etc/machine-id\t--\tsystem_u:object_r:machineid_t:s0
/srv/.*\t\t<<none>>
/srv/www(/.*)?\t\tsystem_u:object_r:httpd_sys_content_t:s0
/srv/www/[^/]*\\.cgi\t--\tsystem_u:object_r:httpd_sys_script_exec_t:s0
/srv/www(/.*)?\t-l\tsystem_u:object_r:httpd_link_t:s0
";

fn copy(source: &str, destination: &str) -> Sourced<FileCopy> {
    at(
        7,
        source,
        FileCopy {
            source: source.to_owned(),
            destination: GuestPath::literal(destination),
            into_directory: false,
            mode: None,
        },
    )
}

/// The image baked from a template of Debian with `policy`, if any, whose root and `/srv` have labels of their own if
/// `is_labelled`.
fn baked(bakery: &Bakery, policy: Option<&str>, is_labelled: bool) -> std::path::PathBuf {
    let tree = bakery.path("tree");
    fs::create_dir(&tree).unwrap();
    debian().write_below(&tree);
    fs::create_dir_all(tree.join("srv")).unwrap();
    if let Some(policy) = policy {
        let directory = tree.join("etc/selinux/strict/contexts/files");
        fs::create_dir_all(&directory).unwrap();
        put(
            &tree.join("etc/selinux/config"),
            "SELINUX=enforcing\nSELINUXTYPE=strict\n",
        );
        put(&directory.join("file_contexts"), policy);
        put(&directory.join("file_contexts.subs_dist"), "/srv/web /srv/www\n");
    }
    let template = bakery.make_template(ExtKind::Ext4, BlockSize(4096), 48 << 20);
    if is_labelled {
        debugfs_write(
            &template,
            &[
                "ea_set / security.selinux system_u:object_r:root_t:s0",
                "ea_set /etc security.selinux system_u:object_r:etc_dir_t:s0",
                "ea_set /srv security.selinux system_u:object_r:srv_dir_t:s0",
            ],
        );
        e2fsck_clean(&template);
    }
    let site = bakery.path("files").join("site");
    fs::create_dir(&site).unwrap();
    put(&site.join("index.html"), "page");
    put(&site.join("run.cgi"), "script");
    symlink("index.html", site.join("start")).unwrap();
    put(&bakery.path("files").join("note"), "note");
    let files = vec![
        copy("site", "/srv/www"),
        copy("site", "/srv/web"),
        copy("note", "/srv/note"),
    ];
    let host = Host {
        files,
        template: of("small.ext4".to_owned()),
        ..host("a")
    };
    bakery.bake(&project("p", [host])).unwrap();
    let image = bakery.baked("p", "a/root.img");
    e2fsck_clean(&image);
    image
}

fn put(path: &Path, text: &str) {
    std::io::Write::write_all(&mut fs::File::create(path).unwrap(), text.as_bytes()).unwrap();
}

/// What debugfs tells of the label of `path`.
fn label(image: &Path, path: &str) -> String {
    debugfs(image, &format!("ea_get {path} security.selinux"))
}

#[test]
fn new_files_get_the_label_that_the_policy_gives_them() {
    let bakery = Bakery::new();
    let image = baked(&bakery, Some(POLICY), true);
    for (path, name) in [
        ("/srv/www", "httpd_sys_content_t"),
        ("/srv/www/index.html", "httpd_sys_content_t"),
        ("/srv/www/run.cgi", "httpd_sys_script_exec_t"),
        ("/srv/web/run.cgi", "httpd_sys_script_exec_t"),
        ("/srv/www/start", "httpd_link_t"),
        ("/etc/machine-id", "machineid_t"),
        // The policy wants none, so that the directory's is taken.
        ("/srv/note", "srv_dir_t"),
        ("/srv", "srv_dir_t"),
    ] {
        let expected = format!("system_u:object_r:{name}:s0");
        let found = label(&image, path);
        assert!(found.contains(&expected), "{path}: {found}");
    }
    // All have labels, so that the guest need not give them at its first start.
    assert!(!debugfs(&image, "ls -p /").contains("autorelabel"));
    // The zero byte at the end is part of a label on disk.
    let found = label(&image, "/srv/www/run.cgi");
    assert!(found.contains("httpd_sys_script_exec_t:s0\\000"), "{found}");
}

#[test]
fn what_image_commands_make_gets_labels_too() {
    let bakery = Bakery::new();
    let image = baked(&bakery, Some(POLICY), true);
    let tree = bakery.path("more");
    fs::create_dir(&tree).unwrap();
    put(&tree.join("new.cgi"), "script");
    let place = |path: &str| format!("{}:{path}", image.display());
    image_answer(&["cp", "-r", tree.to_str().unwrap(), &place("/srv/www/more/deep/")]);
    image_answer(&["mkdir", "-p", &place("/srv/www/a/b")]);
    image_answer(&["touch", &place("/srv/www/touched")]);
    image_answer(&["ln", "-s", "touched", &place("/srv/www/link")]);
    e2fsck_clean(&image);
    for (path, name) in [
        ("/srv/www/more", "httpd_sys_content_t"),
        ("/srv/www/more/deep/more/new.cgi", "httpd_sys_content_t"),
        ("/srv/www/a", "httpd_sys_content_t"),
        ("/srv/www/a/b", "httpd_sys_content_t"),
        ("/srv/www/touched", "httpd_sys_content_t"),
        ("/srv/www/link", "httpd_link_t"),
        // What has a label keeps it.
        ("/srv/www/run.cgi", "httpd_sys_script_exec_t"),
    ] {
        let found = label(&image, path);
        assert!(found.contains(name), "{path}: {found}");
    }
}

#[test]
fn without_a_policy_new_files_get_their_directorys_label() {
    let bakery = Bakery::new();
    let image = baked(&bakery, None, true);
    for path in ["/srv/www", "/srv/www/index.html", "/srv/www/start", "/srv/note"] {
        let found = label(&image, path);
        assert!(found.contains("srv_dir_t"), "{path}: {found}");
    }
}

#[test]
fn templates_without_labels_stay_so() {
    let bakery = Bakery::new();
    let image = baked(&bakery, Some(POLICY), false);
    for path in ["/srv/www/index.html", "/etc/machine-id"] {
        let found = debugfs(&image, &format!("ea_list {path}"));
        assert!(!found.contains("selinux"), "{path}: {found}");
    }
    // The guest is to give them.
    assert!(debugfs(&image, "ls -p /").contains("/.autorelabel/"));
}
