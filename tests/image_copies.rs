//! Trees copied into images, out of them and between them, with everything that their files have.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::lab::ImageLab;
use crate::support::{BlockSize, ExtKind, Mkfs, Mounted, e2fsck_clean, tool};

/// Makes below `tree` one of everything that a file can have; needs root.
fn everything(tree: &Path) {
    let script = r#"
        umask 022
        mkdir -p "$1/dir/deep" && cd "$1"
        printf plain >plain && chown 70000:80000 plain && chmod 4751 plain
        ln plain dir/twin
        ln -s ../plain dir/link && chown -h 5:6 dir/link && ln -s /nowhere dangling
        ln -s "$(printf 'x%.0s' $(seq 100))" long
        truncate -s 5M sparse && printf middle | dd of=sparse bs=1 seek=2000000 conv=notrunc status=none
        mknod char c 1 3 && mknod block b 259 70000 && mkfifo -m 600 pipe
        python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("socket")'
        setfattr -n user.colour -v green plain && setfattr -n trusted.secret -v 1 dir
        setfattr -n user.large -v "$(head -c 700 /dev/zero | tr '\0' a)" dir/deep
        setfacl -m u:1234:r,g:99:rwx dir && setfacl -d -m u:77:rx dir
        setcap cap_net_raw+ep sparse
        printf odd >"$(printf 'a\nb\377 \\')" && : >empty
        head -c 300000 /dev/urandom >dir/deep/data
        touch -d '1999-12-31 23:59:58.123456789' plain dir/link && touch -d 2040-01-02 -h dangling
        touch -d '2001-02-03 04:05:06' dir/deep dir . && chmod 1777 dir/deep && chmod 2500 dir
    "#;
    let status = tool("bash", "bash")
        .args(["-euc", script, "bash"])
        .arg(tree)
        .status()
        .unwrap();
    assert!(status.success());
}

/// Every file below `tree` with all that it has, as `find`, `getfattr` and `sha256sum` tell it.
fn told(tree: &Path, with_owner: bool) -> String {
    let script = r#"
        cd "$1"
        find . -printf "%P|%y|%m|$2|%n|%l|%T@|" -exec sh -c '
            case "$(stat -c %F "$1")" in
                "regular file"|"regular empty file") sha256sum <"$1" ;;
                "character special file"|"block special file") stat -c "%t:%T" "$1" ;;
                *) echo ;;
            esac
        ' sh {} \; | LC_ALL=C sort -z
        find . ! -type l -print0 | LC_ALL=C sort -z | xargs -0 getfattr -h -d -m - -e hex
    "#;
    let owner = if with_owner { "%U:%G" } else { "" };
    let output = tool("bash", "bash")
        .args(["-euc", script, "bash"])
        .arg(tree)
        .arg(owner)
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let mut lines: Vec<String> = output
        .stdout
        .split(|byte| *byte == b'\n')
        .map(|line| line.escape_ascii().to_string())
        .collect();
    lines.sort();
    lines.join("\n")
}

fn blocks(path: &Path) -> u64 {
    use std::os::unix::fs::MetadataExt as _;
    fs::symlink_metadata(path).unwrap().blocks()
}

fn empty_image(lab: &ImageLab, name: &str, kind: ExtKind, block: u32) -> String {
    let path = lab.path(name);
    Mkfs::new(kind, BlockSize(block), 32 << 20).make(&path, None);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_tree_goes_into_an_image_between_images_and_out_again_with_everything() {
    for (kind, block) in [
        (ExtKind::Ext4, 4096),
        (ExtKind::Ext4, 1024),
        (ExtKind::Ext3, 1024),
    ] {
        let lab = ImageLab::new();
        let tree = lab.path("tree");
        fs::create_dir(&tree).unwrap();
        everything(&tree);
        let expected = told(&tree, true);
        let first = empty_image(&lab, "first.img", kind, block);
        let second = empty_image(&lab, "second.img", ExtKind::Ext4, 1024);
        lab.answer(&["cp", "-r", "tree", &format!("{first}:/")]);
        lab.answer(&[
            "cp",
            "-r",
            &format!("{first}:/tree"),
            &format!("{second}:/copied"),
        ]);
        for (image, place, kind) in [(&first, "tree", kind), (&second, "copied", ExtKind::Ext4)] {
            e2fsck_clean(Path::new(image));
            let mounted = Mounted::new(Path::new(image), kind.name());
            let there = mounted.path().join(place);
            assert_eq!(told(&there, true), expected, "{kind:?} {block}: {place}");
            assert!(blocks(&there.join("sparse")) <= 64, "the holes are filled");
        }
        lab.answer(&["cp", "-r", &format!("{second}:/copied"), "back"]);
        assert_eq!(told(&lab.path("back"), true), expected);
        assert!(blocks(&lab.path("back/sparse")) <= 64, "the holes are filled");
        lab.answer(&[
            "cp",
            "-r",
            &format!("{second}:/copied"),
            &format!("{second}:/again"),
        ]);
        e2fsck_clean(Path::new(&second));
        let mounted = Mounted::new(Path::new(&second), "ext4");
        assert_eq!(told(&mounted.path().join("again"), true), expected);
    }
}

#[test]
fn copying_a_tree_twice_changes_nothing_but_what_differs() {
    let lab = ImageLab::new();
    let tree = lab.path("tree");
    fs::create_dir(&tree).unwrap();
    everything(&tree);
    let image = empty_image(&lab, "guest.img", ExtKind::Ext4, 1024);
    lab.answer(&["cp", "-r", "tree", "IMG:/tree"]);
    lab.answer(&["chmod", "777", "IMG:/tree/plain", "IMG:/tree/dir"]);
    lab.answer(&["cp", "-r", "tree", "IMG:/"]);
    e2fsck_clean(Path::new(&image));
    let mounted = Mounted::new(Path::new(&image), "ext4");
    let there = mounted.path().join("tree");
    assert_eq!(told(&there, true), told(&tree, true));
}

#[test]
fn an_ordinary_user_is_told_what_cannot_be_kept_outside() {
    let lab = ImageLab::new();
    let tree = lab.path("tree");
    fs::create_dir(&tree).unwrap();
    everything(&tree);
    empty_image(&lab, "guest.img", ExtKind::Ext4, 1024);
    lab.answer(&["cp", "-r", "tree", "IMG:/tree"]);
    fs::remove_dir_all(&tree).unwrap();
    let output = as_nobody(&lab, &["cp", "-r", "IMG:/tree", "out"]);
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    let expected = "\
warning: `out/block` is a device, which only root can make
warning: `out/char` is a device, which only root can make
warning: attribute security.capability of 1 file could not be kept
warning: attribute trusted.secret of 1 file could not be kept
warning: the owner of 13 files could not be kept
warning: the set-user-id or sticky bit of 3 files could not be kept
error: 2 files were left out
hint: run it as root, or as the root of a user namespace that may make them
";
    assert_eq!(text, expected);
    assert_eq!(fs::read(lab.path("out/plain")).unwrap(), b"plain");
    // A single file is nobody's own.
    let output = as_nobody(&lab, &["cp", "IMG:/tree/plain", "single"]);
    assert!(output.status.success() && output.stderr.is_empty());
}

/// Runs `image` as an ordinary user in a directory that is its own.
fn as_nobody(lab: &ImageLab, arguments: &[&str]) -> std::process::Output {
    let program = lab.path("program");
    fs::copy(env!("CARGO_BIN_EXE_mln-image"), &program).unwrap();
    let status = Command::new("chown")
        .arg("-R")
        .arg("65534:65534")
        .arg(lab.path(""))
        .status()
        .unwrap();
    assert!(status.success());
    tool("setpriv", "util-linux")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .arg("image")
        .args(
            arguments
                .iter()
                .map(|argument| argument.replace("IMG", "guest.img")),
        )
        .env("HOME", lab.path(""))
        .current_dir(lab.path(""))
        .output()
        .unwrap()
}

#[test]
fn small_edits_do_what_their_namesakes_do() {
    let lab = ImageLab::new();
    empty_image(&lab, "guest.img", ExtKind::Ext4, 1024);
    let accounts = lab.path("accounts");
    fs::create_dir_all(accounts.join("etc")).unwrap();
    crate::support::recovery::put(&accounts.join("etc/passwd"), b"ada:x:1815:1852:::\n");
    crate::support::recovery::put(&accounts.join("etc/group"), b"engine:x:1843:\n");
    lab.answer(&["cp", "-r", "--owner", "0:0", "accounts/etc", "IMG:/"]);
    lab.answer(&["touch", "--time", "1000000000", "IMG:/a", "IMG:/b"]);
    lab.answer(&["mkdir", "IMG:/d", "IMG:/e"]);
    lab.answer(&["ln", "IMG:/a", "IMG:/d"]);
    lab.answer(&["ln", "-s", "../a", "IMG:/d/link"]);
    lab.answer(&["chmod", "u=rwx,go=", "IMG:/d/link"]);
    lab.answer(&["chown", "ada:engine", "IMG:/a"]);
    lab.answer(&["chown", "-H", "ada:", "IMG:/d/link"]);
    lab.answer(&["mv", "IMG:/b", "IMG:/d", "IMG:/e"]);
    lab.answer(&["mv", "IMG:/e/b", "IMG:/e/c"]);
    lab.answer(&["chown", "-R", ":7", "IMG:/e/d"]);
    lab.answer(&["rm", "-f", "IMG:/none"]);
    e2fsck_clean(&lab.image());
    assert_eq!(
        lab.answer(&["ls", "-R", "IMG:/e"]),
        "-0644 0:0         0 /e/c\nd0755 0:7      1024 /e/d\n-0700 1815:7         0 /e/d/a\n\
         l0777 1815:7         4 /e/d/link -> ../a\n"
    );
    for (arguments, complaint) in [
        (
            &["chown", "bob", "IMG:/a"][..],
            "error: the image has no user `bob`\nhint: names are those of `IMG` itself; numbers always work\n",
        ),
        (
            &["ln", "IMG:/a", "IMG:/e/c"],
            "error: `/e/c` is there already in `IMG`\n",
        ),
        (
            &["mv", "-n", "IMG:/a", "IMG:/e/c"],
            "error: `/e/c` is there already in `IMG`\n",
        ),
        (
            &["rm", "IMG:/a", "IMG:/none"],
            "error: there is no `/none` in `IMG`\n",
        ),
        (
            &["cp", "-r", "IMG:/e", "IMG:/e/d/x"],
            "error: `IMG:/e` cannot be copied into itself\n",
        ),
    ] {
        assert_eq!(lab.complaint(arguments), complaint, "{arguments:?}");
    }
    assert!(
        lab.answer(&["ls", "IMG:/"]).contains("/a\n"),
        "removed although another failed"
    );
    let into_itself = lab.complaint(&["mv", "IMG:/e", "IMG:/e/d"]);
    assert!(
        into_itself.ends_with("cannot be moved into itself\n"),
        "{into_itself}"
    );
    let two = lab.run(&["rm", "IMG:/a", "other.img:/b"]);
    assert_eq!(two.status.code(), Some(2));
}
