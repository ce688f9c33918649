//! Random sequences of what officers, operators and machines do, against the whole system on a clock
//! that the test moves: after each step the named invariants hold.
//!
//! A step may be cut by a crash of a service. How far the service had come by then is chance, and no
//! matter: the invariants hold at every point. More and longer sequences:
//! `cargo test -p lgpki-tests --test sequences -- --ignored`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test that meets the unexpected ends"
)]

mod invariants;
mod moves;
mod world;

use std::cell::RefCell;

use proptest::{
    collection::vec,
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};

use moves::Move;
use world::{Tally, World};

/// Sequences in the short form, and the steps of each.
const SEQUENCES: (u32, usize) = (6, 30);
/// The same in the long form.
const MANY: (u32, usize) = (100, 60);

/// Runs sequences drawn from `seed`; gives what happened in all of them.
fn run((sequences, steps): (u32, usize), seed: u8) -> Tally {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config {
        cases: sequences,
        failure_persistence: None,
        max_shrink_iters: 60,
        ..Config::default()
    };
    let random = TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]);
    let mut runner = TestRunner::new_with_rng(config, random);
    let tally = RefCell::new(Tally::default());
    let outcome = runner.run(&vec(moves::any_move(), steps), |moves: Vec<Move>| {
        runtime.block_on(async {
            let mut world = World::new().await;
            for next in moves {
                world.make(&next).await;
                invariants::check(&mut world).await;
            }
            tally.borrow_mut().add(&world.tally);
            invariants::the_logs_hold_against_every_rule(world).await;
        });
        Ok(())
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
    tally.into_inner()
}

#[test]
fn whatever_happens_in_whatever_order_the_invariants_hold() {
    let tally = run(SEQUENCES, 7);
    println!("{tally:#?}");
    // Sequences in which nothing happens would show nothing.
    for (what, count) in tally.all() {
        assert!(count > 0, "{what} never happened: {tally:?}");
    }
}

#[test]
#[ignore = "takes long"]
fn the_invariants_hold_in_many_long_sequences() {
    let tally = run(MANY, 11);
    println!("{tally:#?}");
}
