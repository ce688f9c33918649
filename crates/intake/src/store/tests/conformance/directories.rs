//! Bodies, branches, units and accounts.

use lgpki_domain::directory::{Account, Branch, Organization};

use super::super::fixtures::{at, begin, body, code, names, officer, unit};
use crate::ports::{DirectoryChange, IntakeStore};

fn account(unit_en: &str, en: &str) -> Account {
    Account {
        body: code("01001"),
        unit_en: unit_en.to_owned(),
        names: names(en, "文書主任（利用者）"),
    }
}

async fn change(
    store: &impl IntakeStore,
    changes: Vec<DirectoryChange>,
) -> Result<u32, Vec<(String, &'static str)>> {
    let caller = officer("01001");
    let answer = store.change_directory(code("01001"), changes, caller, at(9));
    let answer = answer.await.unwrap();
    answer.map_err(|faults| faults.into_iter().map(|f| (f.field, f.reason)).collect())
}

fn register(en: &str, ja: &str) -> DirectoryChange {
    DirectoryChange::RegisterOrganization(unit("01001", en, ja))
}

pub(crate) async fn directory_changes_happen_all_or_none(store: &impl IntakeStore) {
    begin(store).await;
    let caller = officer("01001");
    let unknown =
        store.change_directory(code("47001"), vec![register("A", "総務部")], caller, at(9));
    assert!(unknown.await.unwrap().is_err());
    // A later change may build on an earlier one; a repetition changes nothing.
    let changes = vec![
        register("General Affairs", "総務部"),
        DirectoryChange::RegisterAccount(account("General Affairs", "clerk-lgacc")),
        register("General Affairs", "総務部"),
        register("Planning", "企画部"),
    ];
    assert_eq!(change(store, changes).await, Ok(3));
    let faulty = vec![
        register("Welfare", "福祉部"),
        register("Planning", "計画部"),
        register("Plans", "企画部"),
        DirectoryChange::RemoveOrganization("Fishery".to_owned()),
        DirectoryChange::RegisterAccount(account("Fishery", "clerk-lgacc")),
        DirectoryChange::RegisterAccount(account("Welfare", "clerk")),
        DirectoryChange::RemoveAccount {
            unit_en: "Planning".to_owned(),
            en: "clerk-lgacc".to_owned(),
        },
    ];
    let expected = [
        (
            "changes[1].register_organization.names",
            "ORGANIZATION_NAME_TAKEN",
        ),
        (
            "changes[2].register_organization.names",
            "ORGANIZATION_NAME_TAKEN",
        ),
        (
            "changes[3].remove_organization",
            "ORGANIZATION_NOT_REGISTERED",
        ),
        (
            "changes[4].register_account.unit_en",
            "ORGANIZATION_NOT_REGISTERED",
        ),
        (
            "changes[5].register_account.names",
            "ACCOUNT_SUFFIX_MISSING",
        ),
        ("changes[6].remove_account.en", "ACCOUNT_NOT_REGISTERED"),
    ];
    let expected = expected.map(|(field, reason)| (field.to_owned(), reason));
    assert_eq!(change(store, faulty).await, Err(expected.to_vec()));
    let (units, accounts) = store.entries(code("01001")).await.unwrap();
    let english: Vec<_> = units.iter().map(|unit| unit.names.en()).collect();
    assert_eq!(english, ["General Affairs", "Planning"]);
    assert_eq!(accounts, [account("General Affairs", "clerk-lgacc")]);
    // More changes than one entry holds are still one change.
    let many = (0..150).map(|n| register(&format!("Unit {n:03}"), &format!("{n}課")));
    assert_eq!(change(store, many.collect()).await, Ok(150));
    let removed = vec![DirectoryChange::RemoveOrganization(
        "General Affairs".to_owned(),
    )];
    assert_eq!(change(store, removed).await, Ok(2));
    let (units, accounts) = store.entries(code("01001")).await.unwrap();
    assert_eq!((units.len(), accounts.len()), (151, 0));
}

pub(crate) async fn a_renamed_unit_takes_its_accounts_along(store: &impl IntakeStore) {
    begin(store).await;
    let changes = vec![
        register("General Affairs", "総務部"),
        register("Planning", "企画部"),
        DirectoryChange::RegisterAccount(account("General Affairs", "clerk-lgacc")),
    ];
    change(store, changes).await.unwrap();
    let rename = |en: &str, to: Organization| DirectoryChange::RenameOrganization {
        en: en.to_owned(),
        to,
    };
    let japanese_only = rename(
        "General Affairs",
        unit("01001", "General Affairs", "総務課"),
    );
    assert_eq!(change(store, vec![japanese_only]).await, Ok(1));
    let taken = rename("General Affairs", unit("01001", "Planning", "総務部"));
    assert!(change(store, vec![taken]).await.is_err());
    let both = rename("General Affairs", unit("01001", "Administration", "管理部"));
    assert_eq!(change(store, vec![both]).await, Ok(2));
    let (units, accounts) = store.entries(code("01001")).await.unwrap();
    let expected = [
        unit("01001", "Administration", "管理部"),
        unit("01001", "Planning", "企画部"),
    ];
    assert_eq!(units, expected);
    assert_eq!(accounts, [account("Administration", "clerk-lgacc")]);
}

pub(crate) async fn bodies_are_imported_and_branches_deactivated(store: &impl IntakeStore) {
    let mut bodies: Vec<_> = (1..=60).map(|n| body(&format!("01{n:03}"))).collect();
    bodies.push(body("47001"));
    bodies[1].branch = Branch::None;
    let import = |bodies| store.import_bodies(bodies, "init".to_owned(), at(0));
    import(bodies.clone()).await.unwrap();
    let entries = *store.changes().borrow();
    import(bodies.clone()).await.unwrap();
    assert_eq!(
        *store.changes().borrow(),
        entries,
        "the same again is no change"
    );
    let of_47 = store.bodies(Some(47), None, 9).await.unwrap();
    assert_eq!(of_47, [body("47001")]);
    let page = store.bodies(None, Some(code("01058")), 2).await.unwrap();
    let codes: Vec<_> = page.iter().map(|body| body.code.to_string()).collect();
    assert_eq!(codes, ["01059", "01060"]);
    let close = |text: &str| {
        let reason = "合併により".to_owned();
        store.deactivate_branch(code(text), reason, officer("01001"), at(3))
    };
    let closed = close("01001").await.unwrap().unwrap();
    let Branch::Deactivated { at: since, reason } = &closed.branch else {
        panic!("{closed:?}")
    };
    assert_eq!((*since, reason.as_str()), (at(3), "合併により"));
    assert_eq!(store.body(code("01001")).await.unwrap(), Some(closed));
    for (text, reason) in [
        ("01001", "BRANCH_DEACTIVATED"),
        ("01002", "BRANCH_MISSING"),
        ("02001", "BODY_UNKNOWN"),
    ] {
        let faults = close(text).await.unwrap().unwrap_err();
        assert_eq!(faults.iter().next().unwrap().reason, reason);
    }
}
