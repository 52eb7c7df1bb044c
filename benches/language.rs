//! How the time to read and resolve a project grows with its hosts: 10,000 of them against 1,000, as a ratio.
//!
//! `cargo bench --bench language` prints the ratio; it ends with an error if that is more than twelve.
#![allow(clippy::print_stdout, reason = "a bench prints its answer")]

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use mln_image::project::{LoadOptions, TextLoader, load};

/// The most that ten times the hosts may cost.
const RATIO_MAX: f64 = 12.0;

fn project(hosts: u32) -> String {
    let mut text = String::from(
        "global { project p }\nswitch lan { }\nsuperclass common { template t; memory 64M\n network eth0 { switch lan; \
         netmask 255.255.0.0 }\n users { ann *; bob * }\n startup {\n echo $hostname\n }\n}\n",
    );
    for number in 0..hosts {
        let (high, low) = (number / 250, number % 250 + 1);
        let _infallible = writeln!(
            text,
            "host node{number} {{ superclass common; network eth0 {{ address 10.0.{high}.{low} }} }}"
        );
    }
    text
}

/// The shortest of five runs.
fn time(hosts: u32) -> Duration {
    let loader: TextLoader = [("p.mln", project(hosts))].into_iter().collect();
    let run = |_| {
        let begin = Instant::now();
        let loaded = load(&loader, "p.mln", &LoadOptions::default());
        assert!(loaded.project.is_some(), "the project has no faults");
        begin.elapsed()
    };
    (0..5).map(run).min().unwrap_or_default()
}

fn main() -> ExitCode {
    let (thousand, ten_thousand) = (time(1_000), time(10_000));
    let ratio = ten_thousand.as_secs_f64() / thousand.as_secs_f64();
    println!("10,000 hosts cost {ratio:.1} times what 1,000 hosts do ({ten_thousand:?} and {thousand:?})");
    if ratio <= RATIO_MAX {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
