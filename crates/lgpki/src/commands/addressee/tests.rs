//! What an entry is to say, from what it says, a form and the arguments.

use super::*;

fn said() -> v1::AddresseeContent {
    let names = |en: &str, ja: &str| {
        Some(v1::Names {
            en: en.to_owned(),
            ja: ja.to_owned(),
        })
    };
    v1::AddresseeContent {
        unit: names("General Affairs", "総務部"),
        names: names("Documents", "文書係"),
        document_address: "soumu.city".to_owned(),
        contact_mail: "soumu@city.lg.jp".to_owned(),
        contact_person: "模擬花子".to_owned(),
        valid_since: "2008-02-04".to_owned(),
    }
}

#[test]
fn what_is_not_given_stays_as_it_was() {
    let args = ContentArgs {
        name_ja: Some("文書館".to_owned()),
        mail: Some("bunsho@city.lg.jp".to_owned()),
        ..ContentArgs::default()
    };
    let mut expected = said();
    expected.names.as_mut().unwrap().ja = "文書館".to_owned();
    expected.contact_mail = "bunsho@city.lg.jp".to_owned();
    assert_eq!(content(said(), &args).unwrap(), expected);
    let args = ContentArgs {
        no_contact_person: true,
        ..ContentArgs::default()
    };
    assert_eq!(content(said(), &args).unwrap().contact_person, "");
    assert_eq!(content(said(), &ContentArgs::default()).unwrap(), said());
}

#[test]
fn a_form_says_everything_and_what_is_given_beside_it_counts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("form.json");
    let mut other = said();
    other.document_address = "bunsho.city".to_owned();
    other.contact_person.clear();
    std::fs::write(&path, AddresseeForm::of(&other).to_json()).unwrap();
    let mut args = ContentArgs {
        form: Some(path.clone()),
        ..ContentArgs::default()
    };
    assert_eq!(content(said(), &args).unwrap(), other);
    args.address = Some("third.city".to_owned());
    args.valid_since = Some("2008-04-01".parse().unwrap());
    let made = content(v1::AddresseeContent::default(), &args).unwrap();
    assert_eq!(made.document_address, "third.city");
    assert_eq!(made.valid_since, "2008-04-01");
    std::fs::write(&path, "{}").unwrap();
    let refused = content(said(), &args).unwrap_err().to_string();
    assert!(refused.contains("is not an addressee's form"), "{refused}");
}

#[test]
fn a_request_id_tells_nothing_of_the_contact_person() {
    let id = |change: fn(&mut v1::AddresseeContent)| {
        let mut request = v1::RegisterAddresseeRequest {
            request_id: String::new(),
            branch: "01001".to_owned(),
            content: Some(said()),
        };
        change(request.content.as_mut().unwrap());
        named(None, "register", || {
            forget_person(&mut request.content);
            format!("{request:?}")
        })
    };
    let own = id(|_| ());
    assert!(own.parse::<RequestId>().is_ok());
    assert_eq!(
        id(|content| content.contact_person = "模擬太郎".to_owned()),
        own
    );
    assert_ne!(id(|content| content.contact_mail.push('x')), own);
}
