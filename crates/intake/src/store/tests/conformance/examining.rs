//! Examination and withdrawal.

use lgpki_domain::application::State;

use super::super::fixtures::{accept, act, approver, at, begin, code, command, id, issue, manual};
use crate::ports::{Act, ActRefused, Command, IntakeStore};

pub(crate) async fn two_operators_must_approve_where_two_are_needed(store: &impl IntakeStore) {
    begin(store).await;
    let new = accept(store, manual(1, 2)).await;
    assert_eq!(new.state.name(), "examining");
    let approve = |card, person| Act::Approve {
        operator: approver(card, person),
    };
    // One batch: the first counts, the same operator again does not, not even with another card, the
    // second completes it.
    let batch = [
        approve(1, 1),
        approve(1, 1),
        approve(4, 1),
        approve(2, 2),
        approve(3, 3),
    ];
    let batch = batch.into_iter().map(|act| command(new.id, act)).collect();
    let answers = store.act(batch).await.unwrap();
    let [counted, again, other_card, complete, late] = answers.try_into().unwrap();
    let counted = counted.unwrap();
    assert_eq!(
        counted.state,
        State::Examining {
            at: at(1),
            approved_by: vec![approver(1, 1)],
            needed: 2
        }
    );
    assert!(matches!(again, Err(ActRefused::WrongState(_))));
    assert_eq!(other_card, again);
    let complete = complete.unwrap();
    assert_eq!(
        complete.state,
        State::Queued {
            at: at(5000),
            attempt: 1
        }
    );
    assert!(matches!(late, Err(ActRefused::WrongState(_))));
    assert!(counted.log_index < complete.log_index);
    let found = store.application(new.id).await.unwrap().unwrap();
    assert_eq!(
        (found.state, found.log_index),
        (complete.state, complete.log_index)
    );
}

pub(crate) async fn another_branchs_application_does_not_exist(store: &impl IntakeStore) {
    begin(store).await;
    let new = accept(store, issue(1)).await;
    let withdraw = |branch| Command {
        branch: Some(code(branch)),
        ..command(new.id, Act::Withdraw)
    };
    let unknown = command(id(9), Act::ConfirmDelivery);
    let batch = vec![withdraw("01002"), unknown, withdraw("01001")];
    let answers = store.act(batch).await.unwrap();
    let [foreign, unknown, own] = answers.try_into().unwrap();
    assert_eq!(foreign.unwrap_err(), ActRefused::NotFound(new.id));
    assert_eq!(unknown.unwrap_err(), ActRefused::NotFound(id(9)));
    assert_eq!(own.unwrap().state, State::Withdrawn { at: at(5000) });
    let closed = act(store, new.id, Act::Withdraw).await;
    assert!(matches!(closed, Err(ActRefused::WrongState(_))));
}
