//! Entries: their exact form, their limits, and that they read back.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking, its helpers too"
)]

use lgpki_domain::{ApplicationId, Serial, Timestamp};
use lgpki_ledger::{
    About, Body, EntryError, EntryRef, Event, MAX_ENTRY_BYTES, Stamp, canonical::is_canonical,
    decode, encode, events, serial,
};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Intended {
    #[serde(with = "serial::text")]
    application: ApplicationId,
    #[serde(
        with = "serial::optional_bytes",
        default,
        skip_serializing_if = "Option::is_none"
    )]
    extra: Option<Vec<u8>>,
    names: Vec<String>,
    #[serde(with = "serial::text_list")]
    serials: Vec<Serial>,
    #[serde(with = "serial::bytes")]
    tbs: Vec<u8>,
}

impl Body for Intended {
    const KIND: &'static str = "certificate.intent";

    fn about(&self) -> About {
        About::application(self.application)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Started {}

impl Body for Started {
    const KIND: &'static str = "service.started";
    const VERSION: u32 = 2;
}

events! {
    /// Two kinds.
    #[derive(Clone, Debug, PartialEq, Eq)]
    enum Toy {
        /// An intent.
        Intended(Intended),
        /// A start.
        Started(Started),
    }
}

fn stamp() -> Stamp {
    Stamp {
        time: "2008-02-04T09:15:00.123+09:00".parse().unwrap(),
        actor: "branch-officer/01001/41".to_owned(),
        answers: Some(EntryRef {
            index: 7,
            log: "intake".to_owned(),
        }),
    }
}

fn intended(tbs: Vec<u8>) -> Toy {
    Toy::from(Intended {
        application: ApplicationId::from_bytes([1; 16]),
        extra: None,
        names: vec!["総務部\n".to_owned()],
        serials: vec![Serial::from_bytes(&[0x41; 16]).unwrap()],
        tbs,
    })
}

#[test]
fn the_form_of_an_entry_is_final() {
    let bytes = encode("issuer-1", &stamp(), &intended(vec![0xfb, 0xff, 0])).unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        concat!(
            r#"{"about":{"application":"01040G2081040G2081040G2081"},"#,
            r#""actor":"branch-officer/01001/41","answers":{"index":7,"log":"intake"},"#,
            r#""body":{"application":"01040G2081040G2081040G2081","names":["総務部\n"],"#,
            r#""serials":["41414141414141414141414141414141"],"tbs":"-_8A"},"#,
            r#""kind":"certificate.intent","node":"issuer-1","#,
            r#""time":"2008-02-04T09:15:00.123+09:00","v":1}"#,
        )
    );
    let bytes = encode(
        "n",
        &Stamp::new(Timestamp::from_millis(0), "init"),
        &Toy::from(Started {}),
    )
    .unwrap();
    assert_eq!(
        String::from_utf8(bytes).unwrap(),
        concat!(
            r#"{"actor":"init","body":{},"kind":"service.started","node":"n","#,
            r#""time":"1970-01-01T09:00:00.000+09:00","v":2}"#
        )
    );
}

#[test]
fn an_entry_of_the_longest_length_is_taken_and_one_byte_more_is_refused() {
    let started = |actor: usize| {
        encode(
            "n",
            &Stamp::new(Timestamp::default(), "a".repeat(actor)),
            &Toy::from(Started {}),
        )
    };
    let rest = started(0).unwrap().len();
    let longest = MAX_ENTRY_BYTES - rest;
    assert_eq!(started(longest).unwrap().len(), 65_535);
    assert!(matches!(
        started(longest + 1),
        Err(EntryError::TooLarge { size: 65_536, .. })
    ));
}

#[test]
fn what_a_newer_program_wrote_is_refused_with_its_name() {
    let entry = |kind: &str, v: u32, body: &str| {
        format!(
            r#"{{"actor":"a","body":{body},"kind":"{kind}","node":"n","time":"2008-02-04T09:15:00.123+09:00","v":{v}}}"#
        )
    };
    let read = |text: String| decode::<Toy>(0, text.as_bytes());
    assert!(read(entry("service.started", 2, "{}")).is_ok());
    let error = read(entry("service.paused", 1, "{}")).unwrap_err();
    assert!(matches!(&error, EntryError::UnknownKind(kind) if kind == "service.paused"));
    let error = read(entry("service.started", 3, "{}")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the log holds service.started in version 3: it was written by another version of this program; \
         start that one, or a newer one"
    );
    assert!(matches!(
        read(entry("service.started", 2, r#"{"x":1}"#)),
        Err(EntryError::Form(_))
    ));
    assert!(matches!(
        read(entry("service.started", 2, "{}").replace("\"node\"", "\"nodes\"")),
        Err(EntryError::Form(_))
    ));
}

proptest! {
    #[test]
    fn every_entry_is_canonical_and_reads_back(
        actor in "\\PC{0,30}",
        millis in 0_i64..4_000_000_000_000,
        names in prop::collection::vec(any::<String>(), 0..4),
        tbs in prop::collection::vec(any::<u8>(), 0..60),
        extra in prop::option::of(prop::collection::vec(any::<u8>(), 0..9)),
        answers in prop::option::of(0_u64..1 << 53),
    ) {
        let event = Toy::from(Intended {
            application: ApplicationId::from_bytes([9; 16]),
            extra,
            names,
            serials: Vec::new(),
            tbs,
        });
        let stamp = Stamp {
            time: Timestamp::from_millis(millis),
            actor,
            answers: answers.map(|index| EntryRef { index, log: "intake".to_owned() }),
        };
        let bytes = encode("node", &stamp, &event).unwrap();
        is_canonical(&bytes).unwrap();
        let recorded = decode::<Toy>(3, &bytes).unwrap();
        prop_assert_eq!(recorded.index, 3);
        prop_assert_eq!(recorded.event.about(), event.about());
        prop_assert_eq!(recorded.event, event);
        prop_assert_eq!(recorded.stamp, stamp);
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode::<Toy>(0, &bytes);
        let _ = is_canonical(&bytes);
    }
}
