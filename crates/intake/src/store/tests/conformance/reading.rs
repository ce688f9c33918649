//! Listings, watchers and the door's look.

use lgpki_domain::{RevocationReason, application::Sort};

use super::super::fixtures::{
    accept, act, at, begin, claim, code, id, issue, issued, manual, of_branch, officer, revoke,
    settle, unit,
};
use crate::{
    ports::{
        Act, Application, Content, DirectoryChange, DoorQuery, Filter, IntakeStore, NewApplication,
    },
    subject_key::subject_key,
};

fn ids(applications: &[Application]) -> Vec<u16> {
    applications
        .iter()
        .map(|one| {
            let bytes = one.id.to_bytes();
            u16::from_be_bytes([bytes[14], bytes[15]])
        })
        .collect()
}

/// Five applications: 1 delivered, 2 issued, 3 examining and of another branch, 4 queued, 5 to
/// revoke.
async fn five(store: &impl IntakeStore) {
    begin(store).await;
    store.accept(vec![issue(1), issue(2)]).await.unwrap();
    claim(store, 9).await;
    settle(store, id(1), issued(1)).await;
    settle(store, id(2), issued(2)).await;
    act(store, id(1), Act::ConfirmDelivery).await.unwrap();
    let elsewhere = NewApplication {
        branch: Some(code("01002")),
        ..manual(3, 1)
    };
    let last = revoke(5, 1, RevocationReason::Superseded);
    store.accept(vec![elsewhere, issue(4), last]).await.unwrap();
}

pub(crate) async fn listings_filter_and_page(store: &impl IntakeStore) {
    five(store).await;
    let list = async |filter, after: Option<u16>, most| {
        let found = store.list(filter, after.map(id), most).await.unwrap();
        ids(&found)
    };
    let all = Filter::default;
    assert_eq!(list(all(), None, 99).await, [1, 2, 3, 4, 5]);
    assert_eq!(list(all(), None, 2).await, [1, 2]);
    assert_eq!(list(all(), Some(2), 2).await, [3, 4]);
    assert_eq!(list(all(), Some(5), 2).await, Vec::<u16>::new());
    let of = |branch| Filter {
        branch: Some(code(branch)),
        ..all()
    };
    assert_eq!(list(of("01001"), None, 99).await, [1, 2, 4, 5]);
    assert_eq!(list(of("01001"), Some(1), 2).await, [2, 4]);
    assert_eq!(list(of("01002"), None, 99).await, [3]);
    assert_eq!(list(of("47001"), None, 99).await, Vec::<u16>::new());
    let states = |states: &[&'static str]| Filter {
        states: states.to_vec(),
        ..all()
    };
    assert_eq!(
        list(states(&["queued", "examining"]), None, 99).await,
        [3, 4, 5]
    );
    assert_eq!(
        list(states(&["queued", "examining"]), Some(3), 1).await,
        [4]
    );
    assert_eq!(
        list(states(&["delivered", "issued"]), None, 99).await,
        [1, 2]
    );
    let to_revoke = Filter {
        sorts: vec![Sort::Revoke],
        ..of("01001")
    };
    assert_eq!(list(to_revoke, None, 99).await, [5]);
    let of_kind = Filter {
        kinds: vec![lgpki_domain::CertificateKind::Mail],
        ..all()
    };
    assert_eq!(list(of_kind, None, 99).await, Vec::<u16>::new());
    let found = store.list(all(), None, 1).await.unwrap();
    let Content::Issue(content) = &found[0].content else {
        panic!("another content")
    };
    assert!(content.csr.is_empty() && content.public_key.is_empty());
    let counts = store.counts().await.unwrap();
    let counts: Vec<_> = counts.into_iter().filter(|(_, n)| *n > 0).collect();
    let expected = [
        ("examining", 1),
        ("queued", 2),
        ("issued", 1),
        ("delivered", 1),
    ];
    assert_eq!(counts, expected);
}

pub(crate) async fn watchers_see_every_change_of_their_branch(store: &impl IntakeStore) {
    begin(store).await;
    let changes = store.changes();
    let start = *changes.borrow();
    five(store).await;
    assert!(*changes.borrow() > start);
    let mut from = start;
    let mut newest = std::collections::BTreeMap::new();
    loop {
        let (found, next) = store
            .changed_since(of_branch("01001"), from, 2)
            .await
            .unwrap();
        assert!(found.iter().all(|one| one.branch == Some(code("01001"))));
        newest.extend(found.into_iter().map(|one| (one.id, one)));
        if next == from {
            break;
        }
        from = next;
    }
    assert_eq!(from, *changes.borrow());
    let seen: Vec<_> = newest.values().cloned().collect();
    assert_eq!(ids(&seen), [1, 2, 4, 5]);
    let listed = store.list(Filter::default(), None, 99).await.unwrap();
    let listed: Vec<_> = listed
        .into_iter()
        .filter(|one| one.branch == Some(code("01001")))
        .collect();
    assert_eq!(seen, listed);
    let all = Filter::default();
    let (all, _) = store.changed_since(all, start, 99).await.unwrap();
    assert_eq!(all.len(), 5, "each once, however often it changed");
    let state = all[0].state.name();
    let filter = Filter {
        states: vec![state],
        ..Filter::default()
    };
    let (some, _) = store.changed_since(filter, start, 99).await.unwrap();
    let mut expected = all;
    expected.retain(|one| one.state.name() == state);
    assert_eq!(some, expected, "as they stand now");
}

pub(crate) async fn the_door_sees_what_the_store_knows(store: &impl IntakeStore) {
    begin(store).await;
    let Content::Issue(content) = issue(1).content else {
        unreachable!()
    };
    let registered = unit("01001", "General Affairs", "総務部");
    let change = DirectoryChange::RegisterOrganization(registered.clone());
    let answer = store.change_directory(code("01001"), vec![change], officer("01001"), at(1));
    answer.await.unwrap().unwrap();
    accept(store, issue(1)).await;
    let known = DoorQuery {
        renews: None,
        ends: None,
        branch: Some(code("01001")),
        unit_en: Some("General Affairs".to_owned()),
        name_en: Some("clerk-lgacc".to_owned()),
        key_digest: Some(content.key_digest),
        subject_key: Some(subject_key(content.kind, &content.subject)),
    };
    let unknown = DoorQuery {
        renews: None,
        ends: None,
        branch: Some(code("47001")),
        unit_en: Some("General Affairs".to_owned()),
        name_en: None,
        key_digest: Some(lgpki_domain::Digest([9; 32])),
        subject_key: None,
    };
    let views = store.door(vec![unknown, known.clone()]).await.unwrap();
    let [nothing, known_view] = views.try_into().unwrap();
    assert!(nothing.body.is_none() && nothing.organization.is_none());
    assert!(nothing.key_used_by.is_none() && nothing.open_for_subject.is_none());
    assert_eq!(known_view.body.unwrap().code, code("01001"));
    assert_eq!(known_view.organization, Some(registered));
    assert_eq!(known_view.account, None);
    assert_eq!(known_view.key_used_by, Some(id(1)));
    assert_eq!(known_view.open_for_subject, Some(id(1)));
    claim(store, 9).await;
    settle(store, id(1), issued(1)).await;
    let views = store.door(vec![known]).await.unwrap();
    assert_eq!(
        views[0].open_for_subject, None,
        "its certificate is the standings' matter"
    );
    assert_eq!(views[0].key_used_by, Some(id(1)));
}
