//! Guest configuration: from a host and a view of the guest to edits, pure.
