//! What may stand in the block of an account: `users { ann { .. } }`.

use super::super::schema::Keyword;
use super::super::schema::Place::User;
use super::super::schema::ValueKind as V;
use super::here;

pub(super) const KEYWORDS: &[Keyword] = &[
    here(
        User,
        "password",
        V::Text,
        "the password's hash; `plain:TEXT` has it made here; `locked` for none",
    )
    .or("the password is locked"),
    here(User, "uid", V::Number(0, 4_294_967_294), "the account's number").or("the next free one"),
    here(User, "gid", V::Word, "the primary group, by number or name").or("a group of the account's own"),
    here(User, "home", V::Word, "the home directory").or("`/home/NAME`"),
    here(User, "shell", V::Word, "the login shell").or("the template's default"),
    here(User, "gecos", V::Text, "the full name").example("gecos Ann Example"),
    here(
        User,
        "system",
        V::Flag,
        "an account of a service: a number below those of people, and no home unless `home` names one",
    )
    .or("off"),
    here(User, "locked", V::Flag, "nobody logs in by the password").or("off"),
    here(
        User,
        "expires",
        V::Word,
        "the day after which the account is closed",
    )
    .or("never")
    .example("expires 2027-12-31"),
    here(
        User,
        "sudo",
        V::Any,
        "may run everything as root: `sudo`, `sudo nopasswd`, or a rule of sudoers",
    )
    .or("may not"),
    here(User, "groups", V::Text, "further groups to be a member of").example("groups adm sudo"),
    here(User, "authorized_keys", V::Lines, "ssh public keys, one a line"),
    here(User, "key", V::Text, "one ssh public key"),
    here(User, "subuid", V::Text, "subordinate user numbers: `FIRST COUNT`"),
    here(
        User,
        "subgid",
        V::Text,
        "subordinate group numbers: `FIRST COUNT`",
    ),
];
