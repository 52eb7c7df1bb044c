//! What may stand in the block of an account: `users { ann { .. } }`.

use super::super::schema::Keyword;
use super::super::schema::Place::User;
use super::super::schema::ValueKind as V;
use super::carried;

pub(super) const KEYWORDS: &[Keyword] = &[
    carried(User, "password", V::Text, "the password's hash").or("the password is locked"),
    carried(User, "uid", V::Number(0, 4_294_967_294), "the account's number").or("the next free one"),
    carried(User, "gid", V::Word, "the primary group, by number or name").or("a group of the account's own"),
    carried(User, "home", V::Word, "the home directory").or("`/home/NAME`"),
    carried(User, "shell", V::Word, "the login shell").or("the template's default"),
    carried(User, "gecos", V::Text, "the full name").example("gecos Ann Example"),
    carried(
        User,
        "system",
        V::Flag,
        "an account of a service: a number below those of people, no home made",
    )
    .or("off"),
    carried(User, "locked", V::Flag, "nobody logs in by the password").or("off"),
    carried(
        User,
        "expires",
        V::Word,
        "the day after which the account is closed",
    )
    .or("never")
    .example("expires 2027-12-31"),
    carried(
        User,
        "sudo",
        V::Text,
        "may run everything as root: `sudo`, `sudo nopasswd`, or a rule of sudoers",
    )
    .or("may not"),
    carried(User, "groups", V::Text, "further groups to be a member of").example("groups adm sudo"),
    carried(User, "authorized_keys", V::Lines, "ssh public keys, one a line"),
    carried(User, "key", V::Text, "one ssh public key"),
    carried(User, "subuid", V::Text, "subordinate user numbers: `FIRST COUNT`"),
    carried(
        User,
        "subgid",
        V::Text,
        "subordinate group numbers: `FIRST COUNT`",
    ),
];
