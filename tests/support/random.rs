//! Random tests that are the same in every run: `MLN_IMAGE_TEST_SEED` (a number) makes others, and
//! `MLN_IMAGE_TEST_CASES` more or fewer of them.

use std::env;

use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

/// A runner of `cases` cases, unless the environment wants other ones.
pub(crate) fn runner(cases: u32) -> TestRunner {
    let number = |name| env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let mut seed = [0x6D; 32];
    seed[..8].copy_from_slice(&number("MLN_IMAGE_TEST_SEED").unwrap_or(0).to_le_bytes());
    let config = Config {
        cases: number("MLN_IMAGE_TEST_CASES").map_or(cases, |cases| u32::try_from(cases).unwrap()),
        failure_persistence: None,
        max_shrink_iters: 300,
        ..Config::default()
    };
    TestRunner::new_with_rng(config, TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}
