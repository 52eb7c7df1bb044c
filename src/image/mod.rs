//! From a delta to the file that a machine boots.
