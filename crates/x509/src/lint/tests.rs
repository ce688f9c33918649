//! The lint agrees with what the builders write, and with nothing else.

mod ca;

use lgpki_domain::{Authority, CertificateKind, Validity};

use super::*;
use crate::{
    authority::{self, CaBlueprint},
    encode::{sequence, tag, tlv},
    error::X509Error,
    fixture::{
        CA, ED25519, P256, P384, RSA, ca_validity, certify, every_kind, issuer, names, serial,
    },
    issuer::Issuer,
    particulars::Particulars,
    tbs::{Blueprint, build},
};

fn validity() -> Validity {
    Validity::for_subscriber("2010-08-03".parse().unwrap())
}

fn issuer_of(kind: CertificateKind) -> Issuer {
    issuer(kind.authority().unwrap(), &CA)
}

#[test]
fn what_is_built_for_every_kind_and_key_passes() {
    for (subject, particulars) in every_kind() {
        let issuer = issuer_of(particulars.kind());
        for key in [&*RSA, &*P256, &*P384, &*ED25519] {
            let blueprint = Blueprint {
                subject: &subject,
                particulars: &particulars,
                public_key: &key.public,
                serial: serial(7),
                validity: validity(),
            };
            let der = certify(&issuer, &CA, &blueprint);
            assert!(
                crate::Certificate::parse(&der)
                    .unwrap()
                    .is_signed_by(&CA.public)
            );
        }
    }
}

#[test]
fn no_single_changed_bit_passes() {
    for kind in [0, 2, 4, 5] {
        let (subject, particulars) = every_kind().remove(kind);
        let issuer = issuer_of(particulars.kind());
        let blueprint = Blueprint {
            subject: &subject,
            particulars: &particulars,
            public_key: &P256.public,
            serial: serial(7),
            validity: validity(),
        };
        let good = build(&issuer, &blueprint).unwrap();
        for i in 0..good.len() {
            for bit in 0..8 {
                let mut changed = good.clone();
                changed[i] ^= 1 << bit;
                assert!(
                    lint_certificate(&issuer, &blueprint, changed).is_err(),
                    "byte {i}, bit {bit}"
                );
            }
        }
        assert!(lint_certificate(&issuer, &blueprint, good).is_ok());
    }
}

/// The findings' rules for a certificate built from one blueprint and judged by another.
fn judged(built: &Blueprint<'_>, by: &Blueprint<'_>) -> Vec<&'static str> {
    let issuer = issuer(Authority::Organization, &CA);
    let tbs = build(&issuer, built).unwrap();
    match lint_certificate(&issuer, by, tbs) {
        Ok(_) => Vec::new(),
        Err(refused) => refused.findings().iter().map(|f| f.rule).collect(),
    }
}

#[test]
fn whatever_is_not_the_applications_is_refused_by_its_rule() {
    let (subject, user) = every_kind().remove(1);
    let good = Blueprint {
        subject: &subject,
        particulars: &user,
        public_key: &P256.public,
        serial: serial(7),
        validity: validity(),
    };
    assert!(judged(&good, &good).is_empty());
    let mut other = subject.clone();
    other.name = names("document-chief-lgacc", "文書取扱者（利用者）");
    let other = Blueprint {
        subject: &other,
        ..good
    };
    assert_eq!(judged(&other, &good), ["profile subjectAltName"]);
    let mut other = subject.clone();
    other.name = names("other-lgacc", "文書取扱主任（利用者）");
    let other = Blueprint {
        subject: &other,
        ..good
    };
    assert_eq!(judged(&other, &good), ["RFC 5280 §4.1.2.6"]);
    let other = Blueprint {
        serial: serial(8),
        ..good
    };
    assert_eq!(judged(&other, &good), ["RFC 5280 §4.1.2.2"]);
    let other = Blueprint {
        public_key: &P384.public,
        ..good
    };
    assert_eq!(
        judged(&other, &good),
        ["RFC 5280 §4.1.2.7", "RFC 5280 §4.2.1.2"]
    );
    let duty = Particulars::OfficialDuty;
    let other = Blueprint {
        particulars: &duty,
        ..good
    };
    let rules = judged(&other, &good);
    assert!(rules.contains(&"profile"), "{rules:?}");
    assert!(rules.contains(&"profile certificatePolicies"), "{rules:?}");
}

#[test]
fn a_wrong_period_is_refused() {
    let (subject, user) = every_kind().remove(1);
    let period = |first: &str, last: &str| {
        let validity = Validity::try_new(first.parse().unwrap(), last.parse().unwrap()).unwrap();
        let blueprint = Blueprint {
            subject: &subject,
            particulars: &user,
            public_key: &P256.public,
            serial: serial(7),
            validity,
        };
        judged(&blueprint, &blueprint)
    };
    assert!(period("2008-02-04", "2011-02-03").is_empty());
    assert_eq!(period("2008-02-04", "2011-02-04"), ["R1"]);
    assert_eq!(period("2008-02-04", "2010-02-03"), ["R1"]);
    assert_eq!(period("2008-02-03", "2011-02-02"), ["R1"]);
    assert_eq!(period("2016-02-04", "2019-02-03"), ["R1"]);
}

#[test]
fn a_kind_of_another_ca_is_neither_built_nor_passed() {
    let (subject, web) = every_kind().remove(2);
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &web,
        public_key: &P256.public,
        serial: serial(7),
        validity: validity(),
    };
    let organization = issuer(Authority::Organization, &CA);
    assert!(matches!(
        build(&organization, &blueprint),
        Err(X509Error::KindNotIssued { .. })
    ));
    let tbs = build(&issuer(Authority::Application, &CA), &blueprint).unwrap();
    let refused = lint_certificate(&organization, &blueprint, tbs).unwrap_err();
    assert!(
        refused
            .findings()
            .iter()
            .any(|f| f.rule == "RFC 5280 §4.1.2.4")
    );
    let mut other = subject.clone();
    other.name = names("kobo.city.sapporo.lg.jp", "公募");
    let other = Blueprint {
        subject: &other,
        ..blueprint
    };
    let application = issuer(Authority::Application, &CA);
    let tbs = build(&application, &other).unwrap();
    let refused = lint_certificate(&application, &other, tbs).unwrap_err();
    assert_eq!(refused.findings()[0].rule, "profile subject");
}

#[test]
fn the_ca_certifies_no_key_of_its_own() {
    let (subject, user) = every_kind().remove(1);
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &user,
        public_key: &CA.public,
        serial: serial(7),
        validity: validity(),
    };
    assert_eq!(judged(&blueprint, &blueprint), ["profile"]);
}

#[test]
fn a_second_extension_of_the_same_kind_is_refused() {
    let (subject, user) = every_kind().remove(1);
    let blueprint = Blueprint {
        subject: &subject,
        particulars: &user,
        public_key: &P256.public,
        serial: serial(7),
        validity: validity(),
    };
    let issuer = issuer(Authority::Organization, &CA);
    let tbs = build(&issuer, &blueprint).unwrap();
    // Everything up to the extensions, and the extensions' content.
    let mut fields = crate::decode::Reader::new(&tbs)
        .open(tag::SEQUENCE)
        .unwrap();
    let mut front = Vec::new();
    let extensions = loop {
        let field = fields.value().unwrap();
        if field.tag == tag::context_constructed(3) {
            break crate::decode::Reader::new(field.content)
                .open(tag::SEQUENCE)
                .unwrap();
        }
        front.extend_from_slice(field.raw);
    };
    let mut all = Vec::new();
    let mut rest = extensions;
    while !rest.is_empty() {
        all.push(rest.value().unwrap().raw);
    }
    let rebuilt = |list: &[&[u8]]| {
        let mut out = Vec::new();
        sequence(&mut out, |out| {
            out.extend_from_slice(&front);
            crate::encode::nested(out, tag::context_constructed(3), |out| {
                tlv(out, tag::SEQUENCE, &list.concat());
            });
        });
        out
    };
    let lint = |list: &[&[u8]]| lint_certificate(&issuer, &blueprint, rebuilt(list));
    assert!(lint(&all).is_ok());
    for i in 0..all.len() {
        let mut twice = all.clone();
        twice.push(all[i]);
        let refused = lint(&twice).unwrap_err();
        assert_eq!(refused.findings()[0].rule, "RFC 5280 §4.2");
        let mut without = all.clone();
        without.remove(i);
        let refused = lint(&without).unwrap_err();
        assert!(refused.to_string().contains("is missing"), "{refused}");
    }
    let mut foreign = Vec::new();
    crate::extension::ca_constraints(&mut foreign, Some(0));
    let mut more = all.clone();
    more.push(&foreign);
    assert!(
        lint(&more)
            .unwrap_err()
            .to_string()
            .contains("does not belong")
    );
}

#[test]
fn a_ca_certificate_passes_and_no_changed_bit_of_it_does() {
    let blueprint = CaBlueprint {
        authority: Authority::Application,
        public_key: &P384.public,
        serial: serial(1),
        validity: ca_validity(),
    };
    let good = authority::build(&blueprint).unwrap();
    for i in 0..good.len() {
        let mut changed = good.clone();
        changed[i] ^= 1 << (i % 8);
        assert!(lint_authority(&blueprint, changed).is_err(), "byte {i}");
    }
    assert!(lint_authority(&blueprint, good).is_ok());
    let subscriber_only = CaBlueprint {
        public_key: &ED25519.public,
        ..blueprint
    };
    let tbs = authority::build(&subscriber_only).unwrap();
    assert!(lint_authority(&subscriber_only, tbs).is_err());
}
