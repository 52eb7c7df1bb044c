//! Behaviour tests: one binary, one file per behaviour. Outside judges (e2fsck, debugfs, ...) are required, never
//! skipped; `scripts/test` installs them.
#![allow(
    clippy::unwrap_used,
    reason = "clippy's exemption for tests does not reach helper functions"
)]

mod bake_bad_input;
mod bake_faults;
mod bake_images;
mod bake_program;
mod bake_sizes;
mod check_commands;
mod check_files;
mod check_projects;
mod check_recipes;
mod cli_frame;
mod ext_check;
mod ext_crafted;
mod ext_damage;
mod ext_faults;
mod ext_format;
mod ext_grow;
mod ext_journal;
mod ext_judges;
mod ext_kernel;
mod ext_layouts;
mod ext_old_layouts;
mod ext_orphans;
mod ext_random;
mod ext_resize;
mod golden_images;
mod guest_accounts;
mod guest_disks;
mod guest_effects;
mod guest_files;
mod guest_names;
mod guest_network;
mod guest_startup;
mod image_commands;
mod image_copies;
mod image_damage;
mod image_diff;
mod image_formats;
mod image_in_place;
mod image_locks;
mod image_recovery;
mod image_resize;
mod image_swap;
mod lang_defects;
mod lang_mutated;
mod lang_removals;
mod lang_text;
mod language_reference;
mod launch_failures;
mod launch_scripts;
mod launch_uml;
mod launch_xen;
mod layering;
mod mycluster;
mod plugin_autoenum;
mod plugin_bundled;
mod plugin_docs;
mod plugin_sandbox;
mod show_values;
mod support;
mod template_busybox;
mod template_commands;
mod template_debian;
mod template_import;
mod template_interrupted;
mod template_skeleton;
mod template_store;
mod template_trees;
mod whole_disks;
