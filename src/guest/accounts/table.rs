//! One of the account files as rows of colon-separated columns: passwd(5), shadow(5), group(5), gshadow(5).
//!
//! Only what is asked for is changed: comments, malformed rows and bytes that are no text stay as they are.

use std::collections::BTreeSet;

use crate::base::{GuestPath, Origin};
use crate::edit::{Attributes, Edit, GuestView};
use crate::guest::error::GuestError;
use crate::guest::target::Target;
use crate::guest::text::lines;

/// An account file, with the changes made so far.
#[derive(Debug)]
pub(super) struct Table {
    path: GuestPath,
    columns: usize,
    rows: Vec<Vec<u8>>,
    origins: Vec<Origin>,
}

impl Table {
    /// Reads the file at `path`, whose rows have `columns` columns; `None` where the guest has no such file.
    pub(super) fn load(view: &dyn GuestView, path: &str, columns: usize) -> Result<Option<Self>, GuestError> {
        let target = Target::open(view, path)?;
        Ok(target.content.map(|content| Self {
            path: target.path,
            columns,
            rows: lines(&content).into_iter().map(<[u8]>::to_vec).collect(),
            origins: Vec::new(),
        }))
    }

    /// The first whole row of `name`.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.rows.iter().position(|row| {
            row.split(|byte| *byte == b':').next() == Some(name.as_bytes()) && self.is_whole(row)
        })
    }

    /// A column of a row, from 0; empty where the row is shorter.
    pub(super) fn column(&self, row: usize, column: usize) -> &[u8] {
        self.rows[row]
            .split(|byte| *byte == b':')
            .nth(column)
            .unwrap_or_default()
    }

    /// A column of a row as a number.
    pub(super) fn number(&self, row: usize, column: usize) -> Option<u32> {
        number(self.column(row, column))
    }

    /// Every number in `column`.
    pub(super) fn numbers(&self, column: usize) -> BTreeSet<u32> {
        let whole = self.rows.iter().filter(|row| self.is_whole(row));
        whole
            .filter_map(|row| number(row.split(|byte| *byte == b':').nth(column)?))
            .collect()
    }

    /// Puts `value` into a column of a whole row; says whether that changed anything.
    pub(super) fn set(&mut self, row: usize, column: usize, value: &[u8], origin: &Origin) -> bool {
        if self.column(row, column) == value {
            return false;
        }
        let mut columns: Vec<&[u8]> = self.rows[row].split(|byte| *byte == b':').collect();
        columns[column] = value;
        self.rows[row] = columns.join(&b':');
        self.note(origin);
        true
    }

    /// Adds a row; before the rows that ask a directory service, which must stay last.
    pub(super) fn push(&mut self, row: &str, origin: &Origin) -> usize {
        let service = |row: &Vec<u8>| matches!(row.first(), Some(b'+' | b'-'));
        let place = self.rows.iter().position(service).unwrap_or(self.rows.len());
        self.rows.insert(place, row.as_bytes().to_vec());
        self.note(origin);
        place
    }

    /// Adds `member` to the comma-separated list in a column, if it is not there; a doubled one is made single.
    pub(super) fn add_member(&mut self, row: usize, column: usize, member: &str, origin: &Origin) {
        let mut members: Vec<&[u8]> = Vec::new();
        let listed = self.column(row, column).split(|byte| *byte == b',');
        for name in listed.chain([member.as_bytes()]) {
            if !name.is_empty() && !members.contains(&name) {
                members.push(name);
            }
        }
        let list = members.join(&b',');
        self.set(row, column, &list, origin);
    }

    /// The edit that writes the file, if anything changed. Mode and owner stay as they are.
    pub(super) fn into_edit(self) -> Option<Edit> {
        let first = self.origins.first()?.clone();
        let mut content = self.rows.join(&b'\n');
        content.push(b'\n');
        let mut edit = Edit::file(self.path, content, Attributes::default(), first);
        edit.origins = self.origins;
        Some(edit)
    }

    fn note(&mut self, origin: &Origin) {
        if !self.origins.contains(origin) {
            self.origins.push(origin.clone());
        }
    }

    fn is_whole(&self, row: &[u8]) -> bool {
        row.split(|byte| *byte == b':').count() >= self.columns
    }
}

/// A decimal number.
fn number(text: &[u8]) -> Option<u32> {
    std::str::from_utf8(text).ok()?.parse().ok()
}
