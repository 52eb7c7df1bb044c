//! Configuration text as lines of bytes, and the marked block that holds what is ours in files shared with others.

/// The line that begins our block.
const BEGIN: &[u8] = b"# BEGIN mln-image";
/// The line that ends it.
const END: &[u8] = b"# END mln-image";

/// The lines of `content` without their line feeds.
pub(super) fn lines(content: &[u8]) -> Vec<&[u8]> {
    let mut lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

/// The words of a line, up to a comment.
pub(super) fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| *byte == b'#')
        .next()
        .unwrap_or_default()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty())
}

/// `content` with our block holding `block`: in place of the block that is there, else at the end. Of the lines
/// outside, those that `keep` refuses are dropped.
pub(super) fn with_block(content: &[u8], block: &str, keep: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let (before, after) = around_block(content, keep);
    [before.as_slice(), block.as_bytes(), &after].concat()
}

/// The same file as what stands before the block's text and what stands after it, our marks among them.
pub(super) fn around_block(content: &[u8], keep: impl Fn(&[u8]) -> bool) -> (Vec<u8>, Vec<u8>) {
    let (mut before, mut behind) = (Vec::with_capacity(content.len() + 64), Vec::new());
    let mut is_behind = false;
    let all = lines(content);
    let mut rest = all.as_slice();
    while let Some((line, after)) = rest.split_first() {
        if let Some(length) = block_length(rest) {
            is_behind = true;
            rest = &rest[length..];
            continue;
        }
        if keep(line) {
            push_line(if is_behind { &mut behind } else { &mut before }, line);
        }
        rest = after;
    }
    push_line(&mut before, BEGIN);
    let mut after = Vec::with_capacity(behind.len() + END.len() + 1);
    push_line(&mut after, END);
    after.append(&mut behind);
    (before, after)
}

fn push_line(written: &mut Vec<u8>, line: &[u8]) {
    written.extend_from_slice(line);
    written.push(b'\n');
}

/// The same, but a block that is not there yet comes first of all.
pub(super) fn with_block_first(content: &[u8], block: &str) -> Vec<u8> {
    let all = lines(content);
    let has_block = (0..all.len()).any(|place| block_length(&all[place..]).is_some());
    if has_block {
        return with_block(content, block, |_| true);
    }
    let mut written = Vec::with_capacity(content.len() + block.len() + 64);
    push_block(&mut written, block);
    written.extend_from_slice(content);
    if !content.is_empty() && !content.ends_with(b"\n") {
        written.push(b'\n');
    }
    written
}

/// Whether a file of shell assignments sets `key`.
pub(super) fn has_assignment(content: &[u8], key: &str) -> bool {
    lines(content).into_iter().any(|line| is_assignment(line, key))
}

/// A file of shell assignments in which `key` is set to `value`, which needs no quotes: in place of the line that sets
/// it, else at the end.
pub(super) fn with_assignment(content: &[u8], key: &str, value: &str) -> Vec<u8> {
    let mut written = Vec::with_capacity(content.len() + key.len() + value.len() + 2);
    let mut done = false;
    let assignment = format!("{key}={value}\n");
    for line in lines(content) {
        if !is_assignment(line, key) {
            push_line(&mut written, line);
        } else if !done {
            written.extend_from_slice(assignment.as_bytes());
            done = true;
        }
    }
    if !done {
        written.extend_from_slice(assignment.as_bytes());
    }
    written
}

fn is_assignment(line: &[u8], key: &str) -> bool {
    let rest = line.trim_ascii_start().strip_prefix(key.as_bytes());
    rest.is_some_and(|rest| rest.starts_with(b"="))
}

/// How many of `lines` our block takes, if it begins at the first. A beginning that is followed by another one before
/// the end is a foreign line.
fn block_length(lines: &[&[u8]]) -> Option<usize> {
    if lines.first()?.trim_ascii() != BEGIN {
        return None;
    }
    let next = lines[1..].iter().position(|line| {
        let line = line.trim_ascii();
        line == BEGIN || line == END
    })? + 1;
    (lines[next].trim_ascii() == END).then_some(next + 1)
}

fn push_block(written: &mut Vec<u8>, block: &str) {
    push_line(written, BEGIN);
    written.extend_from_slice(block.as_bytes());
    push_line(written, END);
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "ours\n";

    #[test]
    fn block_is_appended_replaced_and_made_one() {
        for (before, after) in [
            ("", "# BEGIN mln-image\nours\n# END mln-image\n"),
            ("a", "a\n# BEGIN mln-image\nours\n# END mln-image\n"),
            (
                "a\n# BEGIN mln-image\nold\n# END mln-image\nb\n",
                "a\n# BEGIN mln-image\nours\n# END mln-image\nb\n",
            ),
            (
                "# BEGIN mln-image\n1\n# END mln-image\nb\n# BEGIN mln-image\n2\n# END mln-image\n",
                "# BEGIN mln-image\nours\n# END mln-image\nb\n",
            ),
            (
                "# BEGIN mln-image\nlost\n# BEGIN mln-image\n1\n# END mln-image\n",
                "# BEGIN mln-image\nlost\n# BEGIN mln-image\nours\n# END mln-image\n",
            ),
            (
                "# END mln-image\nx\n# BEGIN mln-image\n",
                "# END mln-image\nx\n# BEGIN mln-image\n# BEGIN mln-image\nours\n# END mln-image\n",
            ),
        ] {
            let once = with_block(before.as_bytes(), BLOCK, |_| true);
            assert_eq!(String::from_utf8_lossy(&once), after);
            assert_eq!(
                with_block(&once, BLOCK, |_| true),
                once,
                "a second time after {before:?}"
            );
        }
    }

    #[test]
    fn foreign_bytes_survive_and_refused_lines_go() {
        let written = with_block(b"\xff\xfe # x\ndrop me\n\n", BLOCK, |line| line != b"drop me");
        assert_eq!(
            written,
            b"\xff\xfe # x\n\n# BEGIN mln-image\nours\n# END mln-image\n"
        );
    }

    #[test]
    fn words_end_at_a_comment() {
        assert_eq!(words(b" a\tb # c").collect::<Vec<_>>(), [b"a", b"b"]);
        assert_eq!(words(b"#").count(), 0);
    }
}
