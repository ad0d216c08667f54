//! The same seed is the same run, and what was mended stays so.

use std::path::Path;

/// Seconds of a run: what `make simulate` takes when nobody says.
const SECONDS: u64 = 60;

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in [1, 7] {
        let [first, second] = [(); 2].map(|()| simulation::run(seed, SECONDS, false));
        assert!(first.frames > 500, "{} frames", first.frames);
        assert_eq!((first.hash, first.frames), (second.hash, second.frames));
    }
}

#[test]
fn a_noisy_tenant_is_refused_and_no_other() {
    let noisy = simulation::run(13, SECONDS, false);
    assert!(noisy.failure.is_none(), "{:?}", noisy.failure);
    assert!(noisy.refused_to_noisy > 1000, "{}", noisy.refused_to_noisy);
    assert_eq!(simulation::run(3, SECONDS, false).refused_to_noisy, 0);
}

#[test]
fn a_tenant_whose_allowance_is_used_up_is_refused() {
    let frugal = simulation::run(14, SECONDS, false);
    assert!(frugal.failure.is_none(), "{:?}", frugal.failure);
    assert!(
        frugal.refused_to_frugal > 100,
        "{}",
        frugal.refused_to_frugal
    );
    assert_eq!(simulation::run(4, SECONDS, false).refused_to_frugal, 0);
}

#[test]
fn what_operators_assign_is_applied() {
    let assigned = simulation::run(1, SECONDS, false);
    assert!(assigned.failure.is_none(), "{:?}", assigned.failure);
    assert!(assigned.assignments >= 5, "{}", assigned.assignments);
    assert!(
        assigned.refused_to_assigned > 20,
        "{}",
        assigned.refused_to_assigned
    );
    assert_eq!(simulation::run(2, SECONDS, false).assignments, 0);
}

#[test]
fn seeds_differ() {
    let hashes = [1, 2].map(|seed| simulation::run(seed, 25, false).hash);
    assert_ne!(hashes[0], hashes[1]);
}

#[test]
fn what_was_mended_stays_mended() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut seeds = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let seed = path.file_stem().unwrap().to_str().unwrap().parse().unwrap();
        let why = std::fs::read_to_string(&path).unwrap();
        let failure = simulation::run(seed, SECONDS, false).failure;
        assert!(failure.is_none(), "seed {seed}, {why}: {failure:?}");
        seeds += 1;
    }
    assert!(seeds > 0);
}
