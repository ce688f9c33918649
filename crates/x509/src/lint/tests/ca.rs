//! The lint of link and cross certificates agrees with what their builders write, and with nothing
//! else.

use lgpki_domain::{Authority, Validity};

use crate::{
    cross::{self, Constraints, CrossBlueprint, ForeignCa},
    fixture::{CA, ED25519, P256, P384, RSA, TestKey, generation, good_request, serial},
    link::{self, LinkBlueprint},
    lint::{lint_cross, lint_link},
};

#[test]
fn a_link_passes_and_no_changed_bit_of_it_does() {
    let old = generation(Authority::Organization, &CA, 1, "2008-02-04");
    let new = generation(Authority::Organization, &P384, 2, "2015-02-01");
    for (issuer, certified) in [(&old, &new), (&new, &old)] {
        let blueprint = LinkBlueprint {
            issuer,
            certified,
            serial: serial(3),
        };
        let good = link::build(&blueprint).unwrap();
        for i in 0..good.len() {
            for bit in 0..8 {
                let mut changed = good.clone();
                changed[i] ^= 1 << bit;
                assert!(
                    lint_link(&blueprint, changed).is_err(),
                    "byte {i}, bit {bit}"
                );
            }
        }
        let other = LinkBlueprint {
            issuer: certified,
            certified: issuer,
            serial: serial(3),
        };
        assert!(lint_link(&other, good.clone()).is_err());
        assert!(lint_link(&blueprint, good).is_ok());
    }
    let validity = |issuer, certified| {
        let blueprint = LinkBlueprint {
            issuer,
            certified,
            serial: serial(3),
        };
        blueprint.validity().unwrap()
    };
    assert_eq!(validity(&new, &old), old.validity());
    let new_with_old = validity(&old, &new);
    assert_eq!(new_with_old.first_day(), new.validity().first_day());
    assert_eq!(new_with_old.last_day(), old.validity().last_day());
}

#[test]
fn only_two_overlapping_generations_of_one_ca_are_linked() {
    let old = generation(Authority::Organization, &CA, 1, "2008-02-04");
    let refused = |certified: &crate::Issuer| {
        let blueprint = LinkBlueprint {
            issuer: &old,
            certified,
            serial: serial(3),
        };
        link::build(&blueprint).unwrap_err().to_string()
    };
    let other = generation(Authority::Application, &P384, 2, "2015-02-01");
    assert!(refused(&other).contains("different CAs"));
    let same = generation(Authority::Organization, &CA, 2, "2015-02-01");
    assert!(refused(&same).contains("itself"));
    let late = generation(Authority::Organization, &P384, 2, "2018-02-04");
    assert!(refused(&late).contains("any one time"));
}

fn foreign(key: &TestKey) -> Result<ForeignCa, lgpki_domain::Faults> {
    // A request of ours has a name of ours; its organization is exchanged below.
    let (subject, particulars) = crate::fixture::every_kind().remove(1);
    let request = good_request(&subject, &particulars, key);
    ForeignCa::from_request("request", &request)
}

fn constraints() -> Constraints {
    Constraints {
        permitted: vec![
            "dn:C=JP,O=日本国政府".parse().unwrap(),
            "mail:.go.jp".parse().unwrap(),
        ],
        excluded: vec!["dns:lg.jp".parse().unwrap()],
        policies: vec!["2.999.392.1.1".parse().unwrap()],
        mappings: vec![(
            "2.999.392.1.1".parse().unwrap(),
            "2.999.7.1".parse().unwrap(),
        )],
        require_explicit_policy: Some(0),
        inhibit_policy_mapping: Some(200),
        inhibit_any_policy: Some(1),
        path_length: Some(1),
    }
}

/// A bridge CA's self-signed certificate, written with this crate's encoder and signed by the key.
fn bridge(key: &TestKey) -> ForeignCa {
    use crate::{encode::sequence, extension, profile::usage, tbs::Frame};
    let mut name = Vec::new();
    let parts = [
        (crate::oid::COUNTRY, "JP"),
        (crate::oid::ORGANIZATION, "Japanese Government"),
    ];
    crate::name::name(&mut name, &parts, crate::name::Language::English);
    let frame = Frame {
        serial: serial(1),
        algorithm: key.public.algorithm().signature(),
        issuer: &name,
        validity: Validity::for_ca("2014-01-01".parse().unwrap()),
        public_key: &key.public,
    };
    let tbs = frame.write(
        |out| out.extend_from_slice(&name),
        |out| {
            extension::key_usage(out, usage::KEY_CERT_SIGN | usage::CRL_SIGN);
            extension::ca_constraints(out, None);
        },
    );
    let tbs = tbs.unwrap();
    let signature = key.sign(&tbs);
    let good = crate::signed::assemble(tbs.clone(), key.public.algorithm().signature(), &signature);
    let forged = key.sign(b"something else");
    let forged = crate::signed::assemble(tbs, key.public.algorithm().signature(), &forged);
    let refused = ForeignCa::from_certificate("certificate", &forged).unwrap_err();
    assert_eq!(refused.iter().next().unwrap().reason, "NOT_SELF_SIGNED");
    let mut nonsense = Vec::new();
    sequence(&mut nonsense, |_| ());
    assert!(ForeignCa::from_certificate("certificate", &nonsense).is_err());
    ForeignCa::from_certificate("certificate", &good).unwrap()
}

#[test]
fn a_cross_certificate_passes_and_no_changed_bit_of_it_does() {
    let issuer = generation(Authority::Organization, &CA, 1, "2014-01-01");
    let subject = bridge(&P384);
    let constraints = constraints();
    let blueprint = CrossBlueprint {
        issuer: &issuer,
        subject: &subject,
        constraints: &constraints,
        serial: serial(5),
        validity: Validity::for_subscriber("2015-01-01".parse().unwrap()),
    };
    let good = cross::build(&blueprint).unwrap();
    for i in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[i] ^= 1 << bit;
            assert!(
                lint_cross(&blueprint, changed).is_err(),
                "byte {i}, bit {bit}"
            );
        }
    }
    let other = |change: &dyn Fn(&mut Constraints)| {
        let mut wider = constraints.clone();
        change(&mut wider);
        let judged = CrossBlueprint {
            constraints: &wider,
            ..blueprint
        };
        lint_cross(&judged, good.clone()).is_err()
    };
    assert!(other(&|c| c.path_length = None));
    assert!(other(&|c| c.inhibit_any_policy = None));
    assert!(other(&|c| c.inhibit_policy_mapping = None));
    assert!(other(&|c| c.mappings.clear()));
    assert!(other(&|c| c.excluded.clear()));
    assert!(other(&|c| c.permitted.truncate(1)));
    assert!(lint_cross(&blueprint, good).is_ok());
}

#[test]
fn no_cross_certificate_outlives_its_ca_or_names_its_own_key_or_comes_from_the_application_ca() {
    let subject = bridge(&P256);
    let constraints = constraints();
    let reasons = |issuer: &crate::Issuer, first: &str| {
        let blueprint = CrossBlueprint {
            issuer,
            subject: &subject,
            constraints: &constraints,
            serial: serial(5),
            validity: Validity::for_subscriber(first.parse().unwrap()),
        };
        let faults = match blueprint.check() {
            Ok(()) => return Vec::new(),
            Err(faults) => faults,
        };
        assert!(cross::build(&blueprint).is_err());
        faults.iter().map(|f| f.reason).collect::<Vec<_>>()
    };
    let organization = generation(Authority::Organization, &CA, 1, "2014-01-01");
    assert!(reasons(&organization, "2021-01-01").is_empty());
    assert_eq!(reasons(&organization, "2021-01-02"), ["CA_EXPIRES_FIRST"]);
    assert_eq!(reasons(&organization, "2013-12-31"), ["CA_EXPIRES_FIRST"]);
    let application = generation(Authority::Application, &CA, 1, "2014-01-01");
    assert_eq!(
        reasons(&application, "2015-01-01"),
        ["CROSS_FORBIDDEN_TO_CA"]
    );
    let own = generation(Authority::Organization, &P256, 1, "2014-01-01");
    assert_eq!(reasons(&own, "2015-01-01"), ["CROSS_WITH_ITSELF"]);
}

#[test]
fn a_ca_with_our_names_or_a_subscribers_key_is_not_certified() {
    let reasons = |key| {
        let faults = foreign(key).unwrap_err();
        faults.iter().map(|f| f.reason).collect::<Vec<_>>()
    };
    assert_eq!(reasons(&RSA), ["CROSS_NAME_OURS"]);
    assert_eq!(reasons(&ED25519), ["KEY_ALGORITHM", "CROSS_NAME_OURS"]);
}
