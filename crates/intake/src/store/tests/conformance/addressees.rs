//! The registry of addressees.

use lgpki_domain::{
    Digest, Faults,
    addressee::{AddresseeId, DocumentAddress},
    directory::Branch,
    mail::MailAddress,
};

use super::super::fixtures::{at, begin, code, issue, names, officer, operator, unit};
use crate::ports::{
    AddresseeAct, AddresseeAnswer, AddresseeDraft, AddresseeFilter, AddresseeRequest,
    AddresseeVersion, DirectoryChange, IntakeStore,
};

/// What entry `n` says at first.
pub(crate) fn draft(n: u8) -> AddresseeDraft {
    AddresseeDraft {
        unit: Some(names("General Affairs", "総務部")),
        names: Some(names(&format!("Documents {n}"), "総務部文書係")),
        address: Some(DocumentAddress::try_new("a", &format!("soumu{n}.city")).unwrap()),
        mail: Some(MailAddress::try_new("m", "soumu@city.lg.jp").unwrap()),
        contact: Some(format!("commitment-{n}")),
        valid_since: Some(at(0).jst_date()),
    }
}

/// A request of the body 01001; the same `n` is the same request.
pub(crate) fn request(n: u8, act: AddresseeAct) -> AddresseeRequest {
    AddresseeRequest {
        request_id: Some(format!("addressee-{n:03}").parse().unwrap()),
        content_digest: Digest([n; 32]),
        act,
        faults: Faults::new(),
        most_per_body: 5,
        caller: officer("01001"),
        at: at(i64::from(n)),
    }
}

pub(crate) fn register(n: u8) -> AddresseeRequest {
    let body = code("01001");
    let draft = draft(n);
    request(n, AddresseeAct::Register { body, draft })
}

fn register_with(n: u8, change: impl FnOnce(&mut AddresseeDraft)) -> AddresseeRequest {
    let mut request = register(n);
    change(request.act.draft_mut().unwrap());
    request
}

pub(crate) fn change(
    n: u8,
    (of, version): (u32, u32),
    change: impl FnOnce(&mut AddresseeDraft),
) -> AddresseeRequest {
    let mut draft = draft(u8::try_from(of).unwrap());
    draft.contact = Some(format!("commitment-{n}"));
    change(&mut draft);
    let id = id(of);
    request(n, AddresseeAct::Change { id, version, draft })
}

pub(crate) fn end(n: u8, (of, version): (u32, u32)) -> AddresseeRequest {
    let reason = "文書係の廃止".to_owned();
    request(
        n,
        AddresseeAct::End {
            id: id(of),
            version,
            reason,
        },
    )
}

/// The `n`th entry of 01001.
pub(crate) fn id(n: u32) -> AddresseeId {
    AddresseeId::try_new(code("01001"), n).unwrap()
}

/// The bodies, and the unit that addressees are of.
pub(crate) async fn with_units(store: &impl IntakeStore) {
    begin(store).await;
    for body in ["01001", "01002"] {
        let unit = unit(body, "General Affairs", "総務部");
        let new_unit = vec![DirectoryChange::RegisterOrganization(unit)];
        let changed = store.change_directory(code(body), new_unit, officer(body), at(0));
        changed.await.unwrap().unwrap();
    }
}

pub(crate) async fn made(
    store: &impl IntakeStore,
    request: AddresseeRequest,
) -> (AddresseeVersion, Option<String>) {
    match store.record_addressee(request).await.unwrap() {
        AddresseeAnswer::Recorded { made, erases } => (*made, erases),
        other => panic!("not recorded: {other:?}"),
    }
}

async fn refused(
    store: &impl IntakeStore,
    request: AddresseeRequest,
) -> Vec<(String, &'static str)> {
    match store.record_addressee(request).await.unwrap() {
        AddresseeAnswer::Refused(faults) => {
            faults.into_iter().map(|f| (f.field, f.reason)).collect()
        }
        other => panic!("not refused: {other:?}"),
    }
}

fn fault(field: &str, reason: &'static str) -> Vec<(String, &'static str)> {
    vec![(field.to_owned(), reason)]
}

async fn numbers(store: &impl IntakeStore, filter: AddresseeFilter) -> Vec<u32> {
    let found = store.addressees(filter, None, 99).await.unwrap();
    found.iter().map(|one| one.id.number()).collect()
}

/// The entries, by number and version, that changed since, and where to go on.
pub(crate) async fn since(store: &impl IntakeStore, from: u64) -> (Vec<(u32, u32)>, u64) {
    let changes = store.addressees_since(None, from, 99).await.unwrap();
    let entries = changes.entries.iter();
    let found = entries.map(|one| (one.id.number(), one.version));
    (found.collect(), changes.next)
}

pub(crate) async fn an_addressee_has_versions_and_an_end(store: &impl IntakeStore) {
    with_units(store).await;
    let (first, erases) = made(store, register(1)).await;
    assert_eq!((first.id, first.version, erases), (id(1), 1, None));
    let content = &first.content;
    assert_eq!(content.address.as_str(), "soumu1.city");
    assert_eq!((first.registered_at, first.changed_at), (at(1), at(1)));
    assert_eq!(first.changed_by, officer("01001").to_string());
    assert!(first.unit_is_registered && first.ended.is_none());
    assert_eq!(first.body.branch, Branch::Active);
    assert_eq!(first.contact.as_deref(), Some("commitment-1"));
    assert_eq!(store.addressee(id(1)).await.unwrap(), Some(first.clone()));

    let renamed = |draft: &mut AddresseeDraft| draft.names = Some(names("Archive", "文書館"));
    let (second, erases) = made(store, change(2, (1, 1), renamed)).await;
    assert_eq!((second.version, second.content.names.ja()), (2, "文書館"));
    assert_eq!((second.registered_at, second.changed_at), (at(1), at(2)));
    assert_eq!(erases.as_deref(), Some("commitment-1"));
    let (last, erases) = made(store, end(3, (1, 2))).await;
    assert_eq!((last.version, last.contact.clone()), (3, None));
    assert_eq!(last.ended.as_deref(), Some("文書係の廃止"));
    assert_eq!(last.content, second.content);
    assert_eq!(erases.as_deref(), Some("commitment-2"));

    let history = |after, most| store.addressee_history(id(1), after, most);
    let all = history(0, 9).await.unwrap();
    assert_eq!(all, [first, second.clone(), last.clone()]);
    assert_eq!(history(1, 1).await.unwrap(), [second]);
    assert_eq!(history(3, 9).await.unwrap(), []);
    assert_eq!(store.addressee(id(1)).await.unwrap(), Some(last));
    assert_eq!(store.addressee(id(2)).await.unwrap(), None);
    // An ended entry stays as it is, and its number is not used again.
    let late = change(4, (1, 3), |_| ());
    let answer = store.record_addressee(late).await.unwrap();
    assert!(matches!(answer, AddresseeAnswer::Ended(of) if of == id(1)));
    let (next, _) = made(store, register(5)).await;
    assert_eq!(next.id, id(2));
}

pub(crate) async fn the_same_request_about_an_addressee_is_carried_out_once(
    store: &impl IntakeStore,
) {
    with_units(store).await;
    let (first, _) = made(store, register(1)).await;
    made(store, change(2, (1, 1), |_| ())).await;
    let entries = *store.changes().borrow();
    // Repeated, it is answered with what it made then, whatever has happened since.
    for request in [
        register(1),
        register_with(1, |draft| draft.contact = Some("other".to_owned())),
    ] {
        let answer = store.record_addressee(request).await.unwrap();
        assert!(matches!(answer, AddresseeAnswer::Repeated(made) if *made == first));
    }
    // Faults of today do not make another request of it.
    let mut tomorrow = register(1);
    tomorrow
        .faults
        .push("content.valid_since", "VALID_SINCE_PAST", "past");
    let answer = store.record_addressee(tomorrow).await.unwrap();
    assert!(matches!(answer, AddresseeAnswer::Repeated(_)));
    let other = AddresseeRequest {
        content_digest: Digest([9; 32]),
        ..register(1)
    };
    let answer = store.record_addressee(other).await.unwrap();
    assert!(matches!(answer, AddresseeAnswer::OtherContent(of) if of == id(1)));
    assert_eq!(*store.changes().borrow(), entries, "nothing was recorded");
    // Request ids are a body's own.
    let elsewhere = AddresseeAct::Register {
        body: code("01002"),
        draft: draft(3),
    };
    let (other, _) = made(store, request(1, elsewhere)).await;
    assert_eq!(other.id.to_string(), "01002-0001");
}

pub(crate) async fn every_fault_of_an_addressee_is_told_at_once(store: &impl IntakeStore) {
    with_units(store).await;
    made(store, register(1)).await;
    let mut request = register_with(2, |draft| {
        draft.unit = Some(names("General Affairs", "総務課"));
        draft.names = draft_names(1);
        draft.address = super::addressees::draft(1).address;
        draft.mail = None;
    });
    request
        .faults
        .push("content.contact_mail", "MAIL_ADDRESS", "wrong");
    let expected = [
        ("content.contact_mail", "MAIL_ADDRESS"),
        ("content.unit.ja", "ORGANIZATION_NAME_DIFFERS"),
        ("content.document_address", "DOCUMENT_ADDRESS_TAKEN"),
        ("content.names", "ADDRESSEE_NAME_TAKEN"),
    ];
    let expected = expected.map(|(field, reason)| (field.to_owned(), reason));
    assert_eq!(refused(store, request).await, expected);
    let foreign = register_with(3, |draft| draft.unit = Some(names("Fishery", "水産部")));
    let missing = fault("content.unit", "ORGANIZATION_NOT_REGISTERED");
    assert_eq!(refused(store, foreign).await, missing);
    let nameless = AddresseeRequest {
        request_id: None,
        ..register(4)
    };
    assert!(!refused(store, nameless).await.is_empty());
    let elsewhere = AddresseeAct::Register {
        body: code("47001"),
        draft: draft(5),
    };
    let unknown = refused(store, super::addressees::request(5, elsewhere)).await;
    assert_eq!(unknown, fault("branch", "BODY_UNKNOWN"));
    for n in 2..=5 {
        made(store, register(n)).await;
    }
    let sixth = refused(store, register(6)).await;
    assert_eq!(sixth, fault("content", "TOO_MANY_ADDRESSEES"));
    made(store, end(7, (5, 1))).await;
    made(store, register(6)).await;
}

fn draft_names(n: u8) -> Option<lgpki_domain::Names> {
    draft(n).names
}

pub(crate) async fn a_change_replaces_the_version_it_names_and_no_other(store: &impl IntakeStore) {
    with_units(store).await;
    made(store, register(1)).await;
    made(store, change(2, (1, 1), |_| ())).await;
    let race = store.record_addressee(change(3, (1, 1), |_| ())).await;
    let stands = |answer: AddresseeAnswer| match answer {
        AddresseeAnswer::OtherVersion { id, stands } => (id, stands),
        other => panic!("{other:?}"),
    };
    assert_eq!(stands(race.unwrap()), (id(1), 2));
    let race = store.record_addressee(end(4, (1, 3))).await;
    assert_eq!(stands(race.unwrap()), (id(1), 2));
    let nobody = store.record_addressee(end(5, (2, 1))).await.unwrap();
    assert!(matches!(nobody, AddresseeAnswer::NotFound(of) if of == id(2)));
    made(store, end(6, (1, 2))).await;
}

pub(crate) async fn an_address_is_free_again_when_its_entry_no_longer_holds(
    store: &impl IntakeStore,
) {
    with_units(store).await;
    made(store, register(1)).await;
    let day = at(0).jst_date().plus_days(10);
    // From that day on, entry 1 is reached elsewhere; until then it still has its address.
    let moved = |draft: &mut AddresseeDraft| {
        draft.address = Some("new.city".parse().unwrap());
        draft.valid_since = Some(day);
    };
    made(store, change(2, (1, 1), moved)).await;
    let old_address = |since| {
        move |draft: &mut AddresseeDraft| {
            draft.address = super::addressees::draft(1).address;
            draft.valid_since = Some(since);
        }
    };
    let early = register_with(3, old_address(day.plus_days(-1)));
    let taken = fault("content.document_address", "DOCUMENT_ADDRESS_TAKEN");
    assert_eq!(refused(store, early).await, taken);
    let (second, _) = made(store, register_with(3, old_address(day))).await;
    assert_eq!(second.content.address.as_str(), "soumu1.city");
    // Now it is another's for good, also for the one who had it.
    let back = |draft: &mut AddresseeDraft| draft.valid_since = Some(day.plus_days(30));
    assert_eq!(refused(store, change(4, (1, 2), back)).await, taken);
    // What ended is free at once, and so is its name.
    made(store, end(5, (2, 1))).await;
    made(store, change(6, (1, 2), |_| ())).await;
    let again = register_with(7, |draft| draft.names = super::addressees::draft(3).names);
    made(store, again).await;
}

pub(crate) async fn a_closed_branch_registers_nothing_and_its_entries_show_it(
    store: &impl IntakeStore,
) {
    with_units(store).await;
    made(store, register(1)).await;
    made(store, register(2)).await;
    made(store, end(3, (2, 1))).await;
    let (_, from) = since(store, 0).await;
    let reason = "合併により".to_owned();
    let closed = store.deactivate_branch(code("01001"), reason, operator(1), at(4));
    closed.await.unwrap().unwrap();
    // Watchers are told of what has not ended.
    let (told, from) = since(store, from).await;
    assert_eq!(told, [(1, 1)]);
    let entry = store.addressee(id(1)).await.unwrap().unwrap();
    assert!(matches!(entry.body.branch, Branch::Deactivated { at: since, .. } if since == at(4)));
    let deactivated = fault("branch", "BRANCH_DEACTIVATED");
    assert_eq!(refused(store, register(5)).await, deactivated);
    assert_eq!(refused(store, change(6, (1, 1), |_| ())).await, deactivated);
    let by_operator = AddresseeRequest {
        caller: operator(1),
        ..end(7, (1, 1))
    };
    made(store, by_operator).await;
    assert_eq!(since(store, from).await.0, [(1, 2)]);
}

pub(crate) async fn an_entry_shows_that_its_unit_left_the_directory(store: &impl IntakeStore) {
    with_units(store).await;
    made(store, register(1)).await;
    let (_, mut from) = since(store, 0).await;
    let to = |en: &str, ja: &str| unit("01001", en, ja);
    let rename = |en: &str, to| DirectoryChange::RenameOrganization {
        en: en.to_owned(),
        to,
    };
    let steps = [
        // Of no concern to the entry.
        (
            DirectoryChange::RegisterOrganization(to("Planning", "企画部")),
            vec![],
            true,
        ),
        (
            rename("General Affairs", to("General Affairs", "総務課")),
            vec![(1, 1)],
            false,
        ),
        (
            rename("General Affairs", to("General Affairs", "総務部")),
            vec![(1, 1)],
            true,
        ),
        (
            DirectoryChange::RemoveOrganization("General Affairs".to_owned()),
            vec![(1, 1)],
            false,
        ),
    ];
    for (change, expected, registered) in steps {
        let changed = store.change_directory(code("01001"), vec![change], officer("01001"), at(2));
        changed.await.unwrap().unwrap();
        let (told, next) = since(store, from).await;
        assert_eq!(told, expected);
        from = next;
        let entry = store.addressee(id(1)).await.unwrap().unwrap();
        assert_eq!(entry.unit_is_registered, registered);
    }
}

pub(crate) async fn addressees_are_listed_by_number_and_followed_by_change(
    store: &impl IntakeStore,
) {
    with_units(store).await;
    for n in 1..=4 {
        made(store, register(n)).await;
    }
    let elsewhere = AddresseeAct::Register {
        body: code("01002"),
        draft: draft(9),
    };
    made(store, request(9, elsewhere)).await;
    made(store, end(5, (2, 1))).await;
    made(store, change(20, (3, 1), |_| ())).await;

    let all = AddresseeFilter::default;
    assert_eq!(numbers(store, all()).await, [1, 3, 4, 1]);
    let filter = AddresseeFilter {
        with_ended: true,
        body: Some(code("01001")),
        ..all()
    };
    assert_eq!(numbers(store, filter.clone()).await, [1, 2, 3, 4]);
    let page = store.addressees(filter, Some(id(2)), 1).await.unwrap();
    assert_eq!(page[0].id, id(3));
    for name in ["総務部", "General Affairs"] {
        let filter = AddresseeFilter {
            unit: Some(name.to_owned()),
            body: Some(code("01002")),
            ..all()
        };
        assert_eq!(numbers(store, filter).await, [1]);
    }
    let none = AddresseeFilter {
        unit: Some("総務".to_owned()),
        ..all()
    };
    assert_eq!(numbers(store, none).await, Vec::<u32>::new());
    let filter = AddresseeFilter {
        address: Some("soumu4.city".to_owned()),
        ..all()
    };
    assert_eq!(numbers(store, filter).await, [4]);
    let filter = AddresseeFilter {
        changed_since: Some(at(9)),
        ..all()
    };
    assert_eq!(numbers(store, filter).await, [3, 1]);

    // Each once, where it last changed, in steps as in one go.
    let (told, end) = since(store, 0).await;
    assert_eq!(told, [(1, 1), (4, 1), (1, 1), (2, 2), (3, 2)]);
    let mut from = 0;
    let mut stepwise = Vec::new();
    loop {
        let step = store.addressees_since(None, from, 2).await.unwrap();
        assert!(step.entries.len() <= 2);
        stepwise.extend(
            step.entries
                .iter()
                .map(|one| (one.id.number(), one.version)),
        );
        from = step.next;
        if step.caught_up {
            break;
        }
    }
    assert_eq!((stepwise, from), (told, end));
    // Other things happen too; the registry's bell stays silent then.
    let bell = store.addressee_bell().await.unwrap();
    store.accept(vec![issue(1)]).await.unwrap();
    assert!(!bell.has_changed().unwrap());
    assert!(since(store, end).await.0.is_empty());
    made(store, change(21, (4, 1), |_| ())).await;
    assert!(bell.has_changed().unwrap());
    let of_other = store.addressees_since(Some(code("01002")), end, 9).await;
    assert!(of_other.unwrap().entries.is_empty());
    assert_eq!(since(store, end).await.0, [(4, 2)]);
}
