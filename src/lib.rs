//! Bakes fleets of virtual machine images from one project file in the MLN language.
//!
//! There is no helper virtual machine, no mount, no root and no chroot: the template's ext2/3/4 structures are read
//! in place, every change is computed in memory as a copy-on-write overlay, and finished images are written in
//! parallel.
//!
//! ```text
//!  project text --lang--> Tree --plugin: post_parse--> Tree --project--> Project
//!                                              |
//!  template file --block--> base device --ext::open--> Fs (read-only, shared by all hosts)
//!                                              |
//!    for each host, in parallel:               v
//!       guest, then plugins: (Host, GuestView) -> EditList     pure; shown by `plan --diff`
//!       ext on an Overlay: grow, then apply the EditList
//!       Overlay -> Delta (changed blocks, new length)
//!       image sink: Delta + template -> raw file      temporary file, sync, rename
//!       launch: Host -> DomainSpec -> xl.cfg, UML command line
//!                                              |
//!  manifest.json: what went in, what came out, with digests
//! ```
//!
//! One direction: no stage looks back, no stage prints, none reads the clock, the environment or the home directory.
//! Those come in as arguments from [`cli`]. Which layer may name which is held by `tests/layering.rs`.

#![cfg_attr(
    test,
    allow(
        clippy::cast_possible_truncation,
        clippy::cast_lossless,
        reason = "tests count small things"
    )
)]

pub mod bake;
pub mod base;
pub mod block;
pub mod cli;
pub mod diag;
pub mod disk;
pub mod edit;
pub mod ext;
pub mod guest;
pub mod image;
pub mod lang;
pub mod launch;
pub mod plugin;
pub mod project;
pub mod store;
pub mod template;
