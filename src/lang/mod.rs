//! Text to tree: knows no keyword's meaning.
