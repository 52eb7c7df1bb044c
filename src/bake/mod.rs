//! The bake: plan, apply, verify, manifest.
