//! The paths through the states, and the doors that are closed.

use super::*;

const T: Timestamp = Timestamp::from_seconds(1);

fn serial(n: u8) -> Serial {
    Serial::from_bytes(&[0x40 | n; 16]).unwrap()
}

fn operator(card: u8, person: u8) -> Approver {
    Approver {
        serial: serial(card),
        subject: Digest([person; 32]),
    }
}

fn received() -> State {
    State::Received { at: T }
}

#[test]
fn the_whole_path_to_delivery() {
    let state = received().examine(T, 1).unwrap();
    let (state, approval) = state.approve(T, operator(1, 1)).unwrap();
    assert_eq!(approval, Approval::Complete);
    let state = state.queue(T).and_then(|s| s.claim(T)).unwrap();
    let state = state
        .issue(T, serial(2))
        .and_then(|s| s.deliver(T))
        .unwrap();
    assert!(state.is_final());
    assert_eq!(state.clone().deliver(T.plus_seconds(9)), Ok(state));
}

#[test]
fn two_persons_means_two_operators() {
    let state = received().examine(T, 2).unwrap();
    let (state, approval) = state.approve(T, operator(1, 1)).unwrap();
    assert_eq!(approval, Approval::Counted);
    assert!(state.clone().approve(T, operator(1, 1)).is_err());
    let complete = state.approve(T, operator(2, 2)).unwrap().1;
    assert_eq!(complete, Approval::Complete);
}

#[test]
fn one_person_with_two_cards_is_one_operator() {
    let state = received().examine(T, 2).unwrap();
    let (state, _) = state.approve(T, operator(1, 1)).unwrap();
    let refused = state.clone().approve(T, operator(2, 1)).unwrap_err();
    assert!(refused.explanation.contains("another one must be"));
    // Nor does the same card become another person by naming one.
    assert!(state.approve(T, operator(1, 2)).is_err());
}

#[test]
fn what_was_claimed_cannot_be_withdrawn_even_if_the_attempt_was_abandoned() {
    let queued = received().examine(T, 0).and_then(|s| s.queue(T)).unwrap();
    assert!(queued.clone().withdraw(T).is_ok());
    let claimed = queued.claim(T).unwrap();
    assert!(claimed.clone().withdraw(T).is_err());
    let again = claimed.retry(T, 1).unwrap();
    assert!(again.clone().withdraw(T).is_err());
    assert_eq!(again, State::Queued { at: T, attempt: 2 });
}

#[test]
fn no_state_is_left_by_a_door_that_is_not_its_own() {
    assert!(received().issue(T, serial(1)).is_err());
    assert!(received().queue(T).is_err());
    let rejected = received()
        .examine(T, 1)
        .unwrap()
        .reject(T, "x".into())
        .unwrap();
    assert!(rejected.clone().withdraw(T).is_err());
    assert!(rejected.approve(T, operator(1, 1)).is_err());
}

#[test]
fn whatever_is_under_way_can_fail_and_nothing_else() {
    let examining = received().examine(T, 1).unwrap();
    let queued = received().examine(T, 0).and_then(|s| s.queue(T)).unwrap();
    let issuing = queued.clone().claim(T).unwrap();
    for open in [received(), examining.clone(), queued, issuing.clone()] {
        assert!(open.fail(T, "why".into()).unwrap().is_final());
    }
    let issued = issuing.issue(T, serial(2)).unwrap();
    let rejected = examining.reject(T, "x".into()).unwrap();
    for ended in [issued, rejected] {
        assert!(ended.fail(T, "why".into()).is_err());
    }
}
