//! The template store: definitions, import, build, digest, versions.
