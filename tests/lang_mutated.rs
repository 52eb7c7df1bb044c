//! Two hundred mutated projects: each ends in a diagnostic or a plan, never in a panic.

use std::fs;
use std::path::Path;

use crate::support::debian::{configured, debian};
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
fn two_hundred_mutated_projects_end_in_a_diagnostic_or_a_plan() {
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
    let mut planned = 0;
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
        let loaded = loaded(&text, &[("servers.txt", &servers)], &registry);
        assert_eq!(
            loaded.project.is_none(),
            loaded.diagnostics.has_errors(),
            "{text}"
        );
        assert!(show(&loaded, None).len() < 10_000);
        let Some(project) = loaded.project else { continue };
        for host in project.hosts.iter().take(2) {
            // A guest that cannot be configured is told with the project's line or the guest's file.
            if let Err(error) = configured(&project, &host, &debian()) {
                assert!(!error.to_string().is_empty());
            }
            planned += 1;
        }
    }
    assert!(planned > 100, "{planned} guests were planned");
}
