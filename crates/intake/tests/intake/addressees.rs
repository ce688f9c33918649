//! The registry of addressees over gRPC: who may do and see what, and what a follower hears.

use lgpki_domain::OfficerRole;
use lgpki_proto::{
    RemoteError,
    v1::{self, addressee_service_client::AddresseeServiceClient},
};
use tonic::{Code, Streaming, transport::Channel};

use crate::scene::{Officer, Scene, hakodate, sapporo};

const PERSON: &str = "模擬花子";

fn names(en: &str, ja: &str) -> v1::Names {
    v1::Names {
        en: en.to_owned(),
        ja: ja.to_owned(),
    }
}

fn content(n: usize) -> v1::AddresseeContent {
    v1::AddresseeContent {
        unit: Some(names("General Affairs", "総務部")),
        names: Some(names(&format!("Documents {n}"), "総務部文書係")),
        document_address: format!("soumu{n}.sapporo"),
        contact_mail: "soumu@city.lg.jp".to_owned(),
        contact_person: PERSON.to_owned(),
        valid_since: String::new(),
    }
}

fn registration(n: usize) -> v1::RegisterAddresseeRequest {
    v1::RegisterAddresseeRequest {
        request_id: format!("addressee-{n}"),
        branch: String::new(),
        content: Some(content(n)),
    }
}

type Client = AddresseeServiceClient<Channel>;

async fn register(client: &mut Client, n: usize) -> v1::Addressee {
    let answer = client.register_addressee(registration(n)).await;
    answer.unwrap().into_inner().addressee.unwrap()
}

fn refused<T: std::fmt::Debug>(answer: Result<T, tonic::Status>) -> RemoteError {
    RemoteError::from(answer.unwrap_err())
}

/// The fields and reasons of a refusal.
fn faults(refused: &RemoteError) -> Vec<(&str, &str)> {
    let faults = refused.faults.iter();
    faults
        .map(|f| (f.field.as_str(), f.reason.as_str()))
        .collect()
}

async fn follow(officer: &Officer, cursor: &str) -> Streaming<v1::WatchAddresseesResponse> {
    let request = v1::WatchAddresseesRequest {
        branch: String::new(),
        cursor: cursor.to_owned(),
    };
    let stream = officer.addressees().watch_addressees(request).await;
    stream.unwrap().into_inner()
}

/// The entries of the next message, by number and version, and its cursor.
async fn heard(stream: &mut Streaming<v1::WatchAddresseesResponse>) -> (Vec<String>, String) {
    let message = stream.message().await.unwrap().unwrap();
    let entries = message.addressees.iter();
    let found = entries.map(|one| format!("{} v{}", one.id, one.version));
    (found.collect(), message.next_cursor)
}

#[tokio::test]
async fn every_body_reads_what_a_branch_registered_but_for_the_person() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let made = register(&mut branch, 1).await;
    assert_eq!((made.id.as_str(), made.version), ("01001-0001", 1));
    assert_eq!(made.body, Some(names("Sapporo City", "札幌市")));
    assert_eq!(made.branch_state(), v1::BranchState::Active);
    assert_eq!(made.state(), v1::AddresseeState::InForce);
    let said = made.content.clone().unwrap();
    assert_eq!(said.valid_since, "2009-02-10", "today, where none is given");
    assert_eq!(said.contact_person, PERSON);
    assert!(made.changed_by.starts_with("branch-officer/01001/"));
    assert!(made.unit_is_registered);
    assert!(!scene.log_text().contains(PERSON));

    let of = |role, body, number| scene.officer(role, body, number);
    let table = [
        (of(OfficerRole::LgwanOfficer, sapporo(), 31), true, true),
        (of(OfficerRole::BranchOfficer, hakodate(), 30), false, false),
        (of(OfficerRole::LgwanOfficer, hakodate(), 40), false, false),
        (of(OfficerRole::Operator, sapporo(), 20), false, true),
        (of(OfficerRole::Auditor, sapporo(), 41), false, true),
    ];
    for (officer, sees_person, sees_recorder) in table {
        let request = v1::GetAddresseeRequest {
            id: made.id.clone(),
        };
        let mut client = officer.addressees();
        let read = client.get_addressee(request).await.unwrap().into_inner();
        let read = read.addressee.unwrap();
        let person = &read.content.as_ref().unwrap().contact_person;
        assert_eq!(person == PERSON, sees_person);
        assert_eq!(!read.changed_by.is_empty(), sees_recorder);
        let mut without = made.clone();
        without
            .content
            .as_mut()
            .unwrap()
            .contact_person
            .clone_from(person);
        without.changed_by.clone_from(&read.changed_by);
        assert_eq!(read, without);
        let request = v1::ListAddresseesRequest::default();
        let page = client.list_addressees(request).await.unwrap().into_inner();
        assert_eq!(page.addressees, [read]);
        let request = v1::GetAddresseeHistoryRequest {
            id: made.id.clone(),
            ..Default::default()
        };
        let history = client.get_addressee_history(request).await.unwrap();
        assert_eq!(history.into_inner().versions, page.addressees);
    }
    let missing = v1::GetAddresseeRequest {
        id: "01002-0001".to_owned(),
    };
    let unknown = refused(branch.get_addressee(missing).await);
    assert_eq!(unknown.code, Code::NotFound);
    assert_eq!(unknown.reason, "ADDRESSEE_NOT_FOUND");
}

#[tokio::test]
async fn a_refused_addressee_is_told_every_fault_by_its_field() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let entries = scene.log_entries();
    let nothing = refused(
        branch
            .register_addressee(v1::RegisterAddresseeRequest::default())
            .await,
    );
    assert_eq!(
        faults(&nothing),
        [
            ("request_id", "FIELD_MISSING"),
            ("content", "FIELD_MISSING")
        ]
    );
    let wrong = v1::AddresseeContent {
        unit: Some(names("General Affairs", "総務課")),
        names: Some(names("", "ｿｳﾑ")),
        document_address: "総務".to_owned(),
        contact_mail: "soumu@service.city.lg.jp".to_owned(),
        contact_person: "名".repeat(65),
        valid_since: "2009-02-09".to_owned(),
    };
    let request = v1::RegisterAddresseeRequest {
        content: Some(wrong),
        ..registration(1)
    };
    let wrong = refused(branch.register_addressee(request).await);
    assert_eq!(wrong.code, Code::InvalidArgument);
    assert_eq!(
        faults(&wrong),
        [
            ("content.names.en", "NAME_MISSING"),
            ("content.names.ja", "NAME_NOT_JAPANESE"),
            ("content.document_address", "DOCUMENT_ADDRESS_MALFORMED"),
            ("content.valid_since", "VALID_SINCE_PAST"),
            ("content.contact_mail", "MAIL_ADMINISTRATIVE_DOMAIN"),
            ("content.contact_person", "CONTACT_PERSON_MALFORMED"),
            ("content.unit.ja", "ORGANIZATION_NAME_DIFFERS"),
        ]
    );
    let day = |valid_since: &str, mail: &str| v1::RegisterAddresseeRequest {
        content: Some(v1::AddresseeContent {
            valid_since: valid_since.to_owned(),
            contact_mail: mail.to_owned(),
            ..content(1)
        }),
        ..registration(1)
    };
    for (request, expected) in [
        (
            day("2009/03/01", "soumu@city.lg.jp"),
            ("content.valid_since", "FIELD_MALFORMED"),
        ),
        (
            day("2011-01-01", "soumu@city.lg.jp"),
            ("content.valid_since", "VALID_SINCE_TOO_FAR"),
        ),
        (
            day("", "soumu@example.com"),
            ("content.contact_mail", "MAIL_ADDRESS"),
        ),
        (day("", ""), ("content.contact_mail", "MAIL_MISSING")),
    ] {
        let refused = refused(branch.register_addressee(request).await);
        assert_eq!(faults(&refused), [expected]);
    }
    let change = v1::ChangeAddresseeRequest {
        request_id: "short".to_owned(),
        id: "1".to_owned(),
        version: 0,
        content: Some(content(1)),
    };
    let unreadable = refused(branch.change_addressee(change).await);
    let expected = [
        ("request_id", "FIELD_MALFORMED"),
        ("id", "FIELD_MALFORMED"),
        ("version", "FIELD_MISSING"),
    ];
    assert_eq!(faults(&unreadable), expected);
    assert_eq!(scene.log_entries(), entries, "nothing was recorded");
}

#[tokio::test]
async fn an_officer_writes_the_own_bodys_entries_only_and_an_operator_ends_any() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let foreign = v1::RegisterAddresseeRequest {
        branch: hakodate().to_string(),
        ..registration(1)
    };
    let foreign = refused(branch.register_addressee(foreign).await);
    assert_eq!(foreign.reason, "BRANCH_NOT_YOURS");
    let made = register(&mut branch, 1).await;
    let change = v1::ChangeAddresseeRequest {
        request_id: "a-change-of-it".to_owned(),
        id: made.id.clone(),
        version: 1,
        content: Some(content(2)),
    };
    let end = |version, reason: &str| v1::EndAddresseeRequest {
        request_id: format!("an-end-of-it-{version}"),
        id: made.id.clone(),
        version,
        reason: reason.to_owned(),
    };
    let other = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let mut other = other.addressees();
    let denied = refused(other.change_addressee(change.clone()).await);
    assert_eq!(
        (denied.code, denied.reason.as_str()),
        (Code::PermissionDenied, "BRANCH_NOT_YOURS")
    );
    let denied = refused(other.end_addressee(end(1, "x")).await);
    assert_eq!(denied.reason, "BRANCH_NOT_YOURS");

    let mut operator = scene
        .officer(OfficerRole::Operator, sapporo(), 20)
        .addressees();
    let denied = refused(operator.change_addressee(change.clone()).await);
    assert_eq!(denied.reason, "ROLE_NOT_ALLOWED");
    let silent = refused(operator.end_addressee(end(1, " ")).await);
    assert_eq!(faults(&silent), [("reason", "REASON_MISSING")]);
    let changed = branch.change_addressee(change).await.unwrap().into_inner();
    assert_eq!(changed.addressee.unwrap().version, 2);
    let race = refused(operator.end_addressee(end(1, "x")).await);
    assert_eq!(
        (race.code, race.reason.as_str()),
        (Code::Aborted, "ADDRESSEE_VERSION_DIFFERS")
    );
    let ended = operator.end_addressee(end(2, "merged")).await.unwrap();
    let ended = ended.into_inner().addressee.unwrap();
    assert_eq!(ended.state(), v1::AddresseeState::Ended);
    assert_eq!((ended.version, ended.end_reason.as_str()), (3, "merged"));
    let again = refused(branch.end_addressee(end(3, "x")).await);
    assert_eq!(
        (again.code, again.reason.as_str()),
        (Code::FailedPrecondition, "ADDRESSEE_ENDED")
    );
}

#[tokio::test]
async fn the_same_request_answers_the_same_also_on_another_day() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let dated = v1::RegisterAddresseeRequest {
        content: Some(v1::AddresseeContent {
            valid_since: "2009-02-10".to_owned(),
            ..content(1)
        }),
        ..registration(1)
    };
    let first = branch.register_addressee(dated.clone()).await.unwrap();
    let first = first.into_inner();
    assert!(!first.repeated);
    scene.clock.advance_millis(2 * 86_400_000);
    let entries = scene.log_entries();
    let again = branch.register_addressee(dated.clone()).await.unwrap();
    let again = again.into_inner();
    assert!(again.repeated);
    assert_eq!(again.addressee, first.addressee);
    let other = v1::RegisterAddresseeRequest {
        content: Some(content(2)),
        ..dated
    };
    let taken = refused(branch.register_addressee(other).await);
    assert_eq!(
        (taken.code, taken.reason.as_str()),
        (Code::AlreadyExists, "REQUEST_ID_TAKEN")
    );
    assert_eq!(scene.log_entries(), entries);
}

#[tokio::test]
async fn a_persons_name_is_erased_with_the_next_version() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let made = register(&mut branch, 1).await;
    let mut change = v1::ChangeAddresseeRequest {
        request_id: "change-the-person".to_owned(),
        id: made.id.clone(),
        version: 1,
        content: Some(v1::AddresseeContent {
            contact_person: "模擬太郎".to_owned(),
            ..content(1)
        }),
    };
    branch.change_addressee(change.clone()).await.unwrap();
    let persons = async |mut branch: Client| {
        let request = v1::GetAddresseeHistoryRequest {
            id: made.id.clone(),
            ..Default::default()
        };
        let history = branch.get_addressee_history(request).await.unwrap();
        let versions = history.into_inner().versions.into_iter();
        let persons = versions.map(|one| one.content.unwrap().contact_person);
        persons.collect::<Vec<_>>()
    };
    assert_eq!(persons(branch.clone()).await, ["", "模擬太郎"]);
    // The name has no part in what tells requests apart, and what is not used is not kept.
    change.content.as_mut().unwrap().contact_person = "模擬三郎".to_owned();
    let again = branch.change_addressee(change).await.unwrap().into_inner();
    assert!(again.repeated);
    assert_eq!(persons(branch.clone()).await, ["", "模擬太郎"]);
    let end = v1::EndAddresseeRequest {
        request_id: "end-of-the-entry".to_owned(),
        id: made.id.clone(),
        version: 2,
        reason: "廃止".to_owned(),
    };
    branch.end_addressee(end).await.unwrap();
    assert_eq!(persons(branch).await, ["", "", ""]);
    assert!(!scene.log_text().contains("模擬"));
}

#[tokio::test]
async fn a_follower_hears_of_every_entry_once_and_then_of_each_change() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    let follower = scene.officer(OfficerRole::BranchOfficer, hakodate(), 30);
    let mut stream = follow(&follower, "").await;
    let (nothing, begun) = heard(&mut stream).await;
    assert!(nothing.is_empty() && !begun.is_empty());
    let first = register(&mut branch, 1).await;
    let (told, after_first) = heard(&mut stream).await;
    assert_eq!(told, ["01001-0001 v1"]);
    register(&mut branch, 2).await;
    let change = v1::ChangeAddresseeRequest {
        request_id: "a-change-of-it".to_owned(),
        id: first.id,
        version: 1,
        content: Some(content(3)),
    };
    branch.change_addressee(change).await.unwrap();
    // A new follower hears how things stand; one with a cursor what it has missed.
    let mut fresh = follow(&follower, "").await;
    assert_eq!(
        heard(&mut fresh).await.0,
        ["01001-0002 v1", "01001-0001 v2"]
    );
    let mut late = follow(&follower, &after_first).await;
    let (told, now) = heard(&mut late).await;
    assert_eq!(told, ["01001-0002 v1", "01001-0001 v2"]);
    let mut up_to_date = follow(&follower, &now).await;
    assert!(heard(&mut up_to_date).await.0.is_empty());

    let deactivate = v1::DeactivateBranchRequest {
        body: sapporo().to_string(),
        reason: "merged into 01002".to_owned(),
    };
    let operator = scene.officer(OfficerRole::Operator, sapporo(), 20);
    let closed = operator.directory().deactivate_branch(deactivate).await;
    closed.unwrap();
    let message = up_to_date.message().await.unwrap().unwrap();
    assert_eq!(message.addressees.len(), 2);
    for entry in message.addressees {
        assert_eq!(entry.branch_state(), v1::BranchState::Deactivated);
        assert!(
            entry
                .branch_deactivated_at
                .starts_with("2009-02-10T10:00:00")
        );
    }
    let of_hakodate = v1::WatchAddresseesRequest {
        branch: hakodate().to_string(),
        cursor: String::new(),
    };
    let mut client = follower.addressees();
    let own = client.watch_addressees(of_hakodate).await.unwrap();
    assert!(heard(&mut own.into_inner()).await.0.is_empty());
    for (cursor, reason) in [("x", "FIELD_MALFORMED"), ("99999999", "CURSOR_UNKNOWN")] {
        let request = v1::WatchAddresseesRequest {
            branch: String::new(),
            cursor: cursor.to_owned(),
        };
        let refused = refused(client.watch_addressees(request).await);
        assert_eq!(faults(&refused), [("cursor", reason)]);
    }
}

#[tokio::test]
async fn listings_and_histories_go_on_page_by_page() {
    let scene = Scene::new().await;
    let mut branch = scene.branch().addressees();
    for n in 1..=5 {
        register(&mut branch, n).await;
    }
    let mut found = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListAddresseesRequest {
            filter: None,
            page_size: 2,
            page_token,
        };
        let page = branch.list_addressees(request).await.unwrap().into_inner();
        assert!(page.addressees.len() <= 2);
        found.extend(page.addressees.into_iter().map(|one| one.id));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
        // What is registered meanwhile moves nothing.
        if found.len() == 2 {
            register(&mut branch, 6).await;
        }
    }
    let expected: Vec<_> = (1..=6).map(|n| format!("01001-{n:04}")).collect();
    assert_eq!(found, expected);
    for version in 1..=3 {
        let change = v1::ChangeAddresseeRequest {
            request_id: format!("change-number-{version}"),
            id: "01001-0001".to_owned(),
            version,
            content: Some(content(1)),
        };
        branch.change_addressee(change).await.unwrap();
    }
    let request = v1::GetAddresseeHistoryRequest {
        id: "01001-0001".to_owned(),
        page_size: 3,
        page_token: String::new(),
    };
    let mut client = branch.clone();
    let page = client.get_addressee_history(request.clone()).await;
    let page = page.unwrap().into_inner();
    assert_eq!(
        (page.versions.len(), page.next_page_token.as_str()),
        (3, "3")
    );
    let request = v1::GetAddresseeHistoryRequest {
        page_token: page.next_page_token,
        ..request
    };
    let rest = client.get_addressee_history(request).await.unwrap();
    let rest = rest.into_inner();
    assert_eq!((rest.versions.len(), rest.versions[0].version), (1, 4));
    assert!(rest.next_page_token.is_empty());
}
