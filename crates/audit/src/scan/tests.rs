//! The walk against the forms that the ledger refuses, and against the schema.

use super::*;

fn entry(body: &str) -> String {
    let rest = "\"kind\":\"application.rejected\",\"node\":\"n\",\
                \"time\":\"2008-02-04T09:15:00.000+09:00\",\"v\":1}";
    format!("{{\"actor\":\"a\",\"body\":{body},{rest}")
}

fn scanned(text: &str) -> Result<Option<String>, String> {
    let schema = Schema::embedded().unwrap();
    Ok(scan(&schema, "intake", text.as_bytes())?.departs)
}

const GOOD: &str = "{\"application\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"reason\":\"日本\\n\\u001f\"}";

#[test]
fn a_canonical_entry_of_a_known_kind_has_nothing_against_it() {
    assert_eq!(scanned(&entry(GOOD)), Ok(None));
}

#[test]
fn what_is_not_canonical_is_refused() {
    for bad in [
        r#"{"b":1,"a":2}"#,
        r#"{"a": 1}"#,
        r#"{"a":1.0}"#,
        r#"{"a":1e3}"#,
        r#"{"a":9007199254740992}"#,
        r#"{"a":null}"#,
        r#"{"a":1,"a":1}"#,
        r#"{"a":"\u0041"}"#,
        r#"{"a":"\u000a"}"#,
        r#"{"a":"\u001F"}"#,
        r#"{"a":"\/"}"#,
        r#"{"あ":1}"#,
        r#"{"a":-0}"#,
        r#"{"a":01}"#,
        r#"{"a":-}"#,
        r#"{"a":[1,]}"#,
        r#"{"a":1,}"#,
        "{\"a\":\"\t\"}",
        "[",
        "",
    ] {
        assert!(scanned(&entry(bad)).is_err(), "{bad}");
        let ledger = lgpki_ledger::canonical::is_canonical(entry(bad).as_bytes());
        assert!(ledger.is_err(), "{bad}");
    }
    assert!(scanned(&format!("{}\n", entry(GOOD))).is_err());
    assert!(scanned(&"[".repeat(100_000)).is_err());
    assert!(scanned(&entry(&"[".repeat(30_000))).is_err());
}

#[test]
fn what_the_schema_does_not_allow_is_told() {
    let departs = |body: &str| scanned(&entry(body)).unwrap().unwrap_or_default();
    let long = "{\"application\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"more\":1,\"reason\":\"x\"}";
    assert!(departs(long).contains("\"more\""), "{}", departs(long));
    let short = "{\"application\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\"}";
    assert!(
        departs(short).contains("lacks reason"),
        "{}",
        departs(short)
    );
    let number = "{\"application\":\"01ARZ3NDEKTSV4RRFFQ69G5FAV\",\"reason\":7}";
    assert!(departs(number).contains("a number"), "{}", departs(number));
    let form = "{\"application\":\"01ARZ3NDEKTSV4RRFFQ69G5FAI\",\"reason\":\"x\"}";
    assert!(departs(form).contains("01ARZ3"), "{}", departs(form));
    let other = entry(GOOD).replace("application.rejected", "application.eaten");
    assert!(
        scanned(&other)
            .unwrap()
            .unwrap_or_default()
            .contains("eaten")
    );
    let version = entry(GOOD).replace("\"v\":1", "\"v\":2");
    assert!(scanned(&version).unwrap().is_some());
}

#[test]
fn a_schema_that_names_what_is_not_there_or_holds_itself_is_refused() {
    let file = |types: &str| {
        format!(
            "{{\"form\":\"lgpki-entries/1\",\"types\":{{\"about\":{{}},\"answers\":{{}},{types}}},\
                 \"kinds\":[{{\"kind\":\"a.b\",\"service\":\"intake\",\"version\":1,\"fields\":{{\"x\":\"one\"}}}}]}}"
        )
    };
    assert!(Schema::parse(&file("\"one\":{\"y\":\"number\"}")).is_ok());
    assert!(Schema::parse(&file("\"two\":{\"y\":\"number\"}")).is_err());
    assert!(Schema::parse(&file("\"one\":{\"y\":\"one\"}")).is_err());
}
