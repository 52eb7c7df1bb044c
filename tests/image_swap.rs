//! Swap images against `mkswap`.

use std::fs;

use mln_image::base::atomic::Durability;
use mln_image::image::{ImageError, swap};
use uuid::Uuid;

use crate::support::tool;

#[test]
fn a_swap_image_is_what_mkswap_makes() {
    let directory = tempfile::tempdir().unwrap();
    let uuid = Uuid::new_v5(&Uuid::NAMESPACE_OID, b"swap");
    for len_bytes in [40 << 10, 1_000_000, 64 << 20] {
        let (ours, theirs) = (directory.path().join("ours"), directory.path().join("theirs"));
        let unfinished = swap::write(&ours, len_bytes, uuid).unwrap();
        unfinished.persist(Durability::NoSync).unwrap();
        fs::File::create(&theirs).unwrap().set_len(len_bytes).unwrap();
        let output = tool("mkswap", "util-linux")
            .args(["--pagesize", "4096", "--uuid", &uuid.to_string()])
            .arg(&theirs)
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        assert!(
            fs::read(&ours).unwrap() == fs::read(&theirs).unwrap(),
            "{len_bytes} bytes"
        );
        let label = tool("swaplabel", "util-linux").arg(&ours).output().unwrap();
        assert_eq!(
            String::from_utf8(label.stdout).unwrap(),
            format!("UUID:  {uuid}\n")
        );
    }
}

#[test]
fn a_swap_image_below_ten_pages_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("swap.img");
    let error = swap::write(&path, 40_959, Uuid::nil()).unwrap_err();
    assert!(matches!(error, ImageError::SmallSwap { .. }));
    assert_eq!(
        error.to_string(),
        "a swap image of 40959 bytes is too small: it takes at least 40960"
    );
    assert!(!path.exists());
}
