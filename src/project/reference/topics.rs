//! What is no keyword and yet asked for: the blocks of the top level, and the marks of the language.

use super::Explanation;

/// One such thing.
pub(super) struct Topic {
    pub(super) name: &'static str,
    place: &'static str,
    value: &'static str,
    help: &'static str,
    example: &'static str,
}

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "global",
        place: "the top level",
        value: "a block",
        help: "the project's name, variables, hooks, and the blocks of plugins",
        example: "global {\n    project webfarm\n    $net = 10.0.0\n}",
    },
    Topic {
        name: "superclass",
        place: "the top level",
        value: "a block with a name",
        help: "what hosts or other superclasses inherit; it makes no machine",
        example: "superclass common {\n    memory 128M\n}",
    },
    Topic {
        name: "host",
        place: "the top level",
        value: "a block with a name",
        help: "one machine",
        example: "host www1 {\n    superclass common\n}",
    },
    Topic {
        name: "switch",
        place: "the top level",
        value: "a block with a name",
        help: "a virtual Ethernet segment of the project",
        example: "switch lan { }",
    },
    Topic {
        name: "#include",
        place: "the start of a line, in any block",
        value: "a path: looked for beside the including file, then here, in `recipes`, and among the files to copy",
        help: "puts the text of another file here",
        example: "#include servers.txt",
    },
    Topic {
        name: "$name",
        place: "any block",
        value: "words, behind ` = `",
        help: "defines a variable, used as `$name` or, inside a word, `$[name]`",
        example: "$gateway = 10.0.0.254",
    },
];

impl Topic {
    pub(super) fn explanation(&self) -> Explanation {
        Explanation {
            keyword: self.name.to_owned(),
            place: self.place.to_owned(),
            value: self.value.to_owned(),
            default: String::new(),
            status: "supported".to_owned(),
            help: self.help.to_owned(),
            example: self.example.to_owned(),
        }
    }
}
