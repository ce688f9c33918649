//! `kill -9` at random moments under load, in a short form: a few rounds of each sort, then the
//! indexes deleted and damaged. The long form is `cargo run --release -p lgpki-tests --bin
//! kill-rounds -- 300`.

#![expect(clippy::print_stdout, reason = "shown where the test fails")]

use lgpki_tests::rounds::{self, Plan};

const UNDER_TEST: &str = env!("CARGO_BIN_EXE_lgpki-under-test");

#[test]
fn nothing_acknowledged_is_lost_and_nothing_is_done_twice_whenever_a_process_is_killed() {
    let plan = Plan {
        together: 6,
        alone: 6,
        seed: 7,
    };
    let summary = rounds::run(UNDER_TEST, plan, &mut |step| println!("{step}"));
    assert!(summary.together >= plan.together, "{summary}");
    assert_eq!(summary.alone.len(), 3, "{summary}");
    // Without work there would be nothing to lose.
    assert!(summary.issues > 20, "{summary}");
    assert!(summary.revocations > 4, "{summary}");
}
