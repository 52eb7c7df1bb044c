//! What exists on disk of a project over time: layout, lock, versions.
