//! Two hundred mutated projects: each ends in a diagnostic or a plan, never in a panic, and soon.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::plugins::{loaded, registry};
use mln_image::project::show;

/// The next number of a generator that is the same on every machine (Marsaglia's xorshift).
fn next(state: &mut u64) -> usize {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    usize::try_from(*state >> 33).unwrap()
}

#[test]
fn two_hundred_mutated_projects_end_in_a_diagnostic_or_a_project() {
    let recipes = Path::new(env!("CARGO_MANIFEST_DIR")).join("recipes");
    let texts: Vec<String> = ["webfarm.mln", "webfarm2.mln", "mycluster.mln", "golden.mln"]
        .iter()
        .map(|name| fs::read_to_string(recipes.join(name)).unwrap())
        .collect();
    let servers = fs::read_to_string(recipes.join("servers.txt")).unwrap();
    let pieces = [
        "{",
        "}",
        ";",
        "#",
        "\"\"\"",
        "$",
        "$[",
        "!remove ",
        "!clear",
        "\n",
        "\\",
        "#include p.mln\n",
        "0",
        "\u{0}",
        "ø",
    ];
    let registry = registry(&[]).unwrap();
    let mut state = 0x2007_0201;
    for round in 0..200 {
        let mut bytes: Vec<char> = texts[round % texts.len()].chars().collect();
        for _ in 0..=next(&mut state) % 4 {
            let place = next(&mut state) % bytes.len();
            match next(&mut state) % 3 {
                0 => drop(bytes.remove(place)),
                1 => {
                    let end = (place + next(&mut state) % 40).min(bytes.len());
                    drop(bytes.drain(place..end));
                }
                _ => {
                    let piece = pieces[next(&mut state) % pieces.len()];
                    bytes.splice(place..place, piece.chars());
                }
            }
        }
        let text: String = bytes.into_iter().collect();
        let begin = Instant::now();
        let loaded = loaded(&text, &[("servers.txt", &servers)], &registry);
        assert_eq!(
            loaded.project.is_none(),
            loaded.diagnostics.has_errors(),
            "{text}"
        );
        assert!(show(&loaded, None).len() < 10_000);
        assert!(begin.elapsed() < Duration::from_secs(20), "{text}");
    }
}
