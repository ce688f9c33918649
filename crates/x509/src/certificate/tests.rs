//! Certificates read back: by `x509-cert` into the domain, and by the second reader as text.

use lgpki_domain::{Authority, OfficerRole};

use super::*;
use crate::{
    Blueprint,
    fixture::{
        CA, P256, P384, RSA, TestKey, body, ca_certificate, ca_validity, certify, every_kind,
        issuer, serial,
    },
    reader::{is_signed_by, read_back},
    service::{self, ServiceBlueprint, ServiceCa, ServiceCaBlueprint},
    signed,
};

fn certified(subject: &Subject, particulars: &Particulars, key: &TestKey) -> Vec<u8> {
    let issuer = issuer(particulars.kind().authority().unwrap(), &CA);
    let blueprint = Blueprint {
        subject,
        particulars,
        public_key: &key.public,
        serial: serial(9),
        validity: Validity::for_subscriber("2010-08-03".parse().unwrap()),
    };
    certify(&issuer, &CA, &blueprint)
}

#[test]
fn every_field_of_every_kind_reads_back() {
    for (subject, particulars) in every_kind() {
        let der = certified(&subject, &particulars, &RSA);
        let read = Certificate::parse(&der).unwrap();
        assert_eq!(read.serial(), Some(serial(9)));
        assert_eq!(read.authority(), particulars.kind().authority());
        assert_eq!(read.kind(), Some(particulars.kind()));
        assert_eq!(read.subject().as_ref(), Some(&subject));
        assert_eq!(read.particulars().as_ref(), Some(&particulars));
        assert_eq!(read.login(), particulars.login());
        assert_eq!(read.service(), None);
        assert_eq!(
            read.validity().unwrap().last_day().to_string(),
            "2013-08-02"
        );
        assert_eq!(read.public_key(), Some(&RSA.public));
        assert_eq!(read.key_digest(), RSA.public.digest());
        assert_eq!(read.key_id(), Some(RSA.public.key_id()));
        assert_eq!(read.authority_key_id(), Some(CA.public.key_id()));
        assert_eq!(authority_key_id(&der), Some(CA.public.key_id()));
        assert_eq!(authority_key_id(&der[..der.len() - 1]), None);
        assert_eq!(read.dns_names(), particulars.dns_names());
        assert_eq!(read.crl_addresses().len(), 2);
        assert!(!read.is_ca() && !read.is_self_issued());
        assert!(read.is_signed_by(&CA.public) && !read.is_signed_by(&P384.public));
    }
}

#[test]
fn the_second_reader_sees_the_same_names_and_usages() {
    let expected_usage = |kind: CertificateKind| -> &[&str] {
        match kind {
            CertificateKind::OfficialDuty | CertificateKind::User => {
                &["digitalSignature", "nonRepudiation"]
            }
            CertificateKind::WebServer | CertificateKind::Mail => {
                &["digitalSignature", "keyEncipherment"]
            }
            _ => &["digitalSignature"],
        }
    };
    for (subject, particulars) in every_kind() {
        let der = certified(&subject, &particulars, &RSA);
        let read = read_back(&der).unwrap();
        let authority = particulars.kind().authority().unwrap();
        assert_eq!(read.serial, serial(9).to_string());
        assert_eq!(
            format!("{:?}", read.issuer),
            format!("[C=JP, O=LGPKI, OU={}]", authority.unit())
        );
        assert_eq!(read.subject_value("CN"), Some(subject.name.en()));
        assert_eq!(read.subject_value("OU"), Some(subject.body.en()));
        assert_eq!(
            read.japanese_name.last().unwrap().value(),
            subject.name.ja()
        );
        assert_eq!(read.japanese_name.len(), read.subject.len());
        assert_eq!(read.not_before.to_string(), "2010-08-03T00:00:00.000+09:00");
        assert_eq!(read.not_after.to_string(), "2013-08-02T23:59:59.000+09:00");
        assert_eq!(read.key_usage, expected_usage(particulars.kind()));
        assert_eq!(read.dns_names, particulars.dns_names());
        assert_eq!(
            read.mail_addresses.first().map(String::as_str),
            particulars.mail()
        );
        assert!(RSA.public.der().ends_with(&read.public_key));
        let policies = read.extension("2.5.29.32").unwrap();
        assert_eq!(
            policies.critical,
            particulars.kind() == CertificateKind::OfficialDuty
        );
        assert!(read.policies[0].starts_with("2.999.392.1."));
        assert!(is_signed_by(&der, &ca_certificate(authority, &CA)));
        assert!(!is_signed_by(&der, &ca_certificate(authority, &P256)));
    }
}

#[test]
fn a_ca_certificate_is_its_authoritys() {
    for authority in Authority::ALL {
        let der = ca_certificate(authority, &RSA);
        let read = Certificate::parse(&der).unwrap();
        assert_eq!(read.authority(), Some(authority));
        assert!(read.is_ca() && read.is_self_issued() && read.is_signed_by(&RSA.public));
        assert_eq!(read.validity(), Some(ca_validity()));
        assert_eq!(read.kind(), None);
        let japanese = read_back(&der).unwrap().japanese_name;
        assert_eq!(japanese.last().unwrap().value(), authority.unit_ja());
    }
}

#[test]
fn an_issuer_takes_no_certificate_but_its_own() {
    let der = ca_certificate(Authority::Organization, &CA);
    let take = |authority, der: &[u8]| {
        let addresses = crate::Addresses::at(&["http://a".to_owned()], authority, 1);
        crate::Issuer::try_new(authority, 1, der, addresses)
    };
    assert!(take(Authority::Organization, &der).is_ok());
    assert!(take(Authority::Application, &der).is_err());
    let (subject, particulars) = every_kind().remove(0);
    let leaf = certified(&subject, &particulars, &P256);
    assert!(take(Authority::Organization, &leaf).is_err());
    let mut tampered = der;
    let last = tampered.len() - 1;
    tampered[last] ^= 1;
    assert!(take(Authority::Organization, &tampered).is_err());
}

#[test]
fn services_and_officers_are_told_apart() {
    let blueprint = ServiceCaBlueprint {
        public_key: &P384.public,
        serial: serial(1),
        validity: ca_validity(),
    };
    let tbs = service::build_ca(&blueprint).unwrap();
    let signature = P384.sign(&tbs);
    let der = signed::assemble(tbs, P384.public.algorithm().signature(), &signature);
    let ca = ServiceCa::try_new(&der).unwrap();
    assert!(ServiceCa::try_new(&ca_certificate(Authority::Organization, &CA)).is_err());
    let build = |role, dns_names: &[String]| {
        service::build(&ServiceBlueprint {
            ca: &ca,
            role,
            dns_names,
            addresses: &["127.0.0.1".parse().unwrap(), "::1".parse().unwrap()],
            public_key: &P256.public,
            serial: serial(2),
            validity: ca_validity(),
        })
    };
    let localhost = ["localhost".to_owned()];
    let tbs = build(Role::Intake, &localhost).unwrap();
    let signature = P384.sign(&tbs);
    let leaf = signed::assemble(tbs, P384.public.algorithm().signature(), &signature);
    let read = Certificate::parse(&leaf).unwrap();
    assert!(read.is_signed_by(ca.public_key()));
    assert_eq!(service_identity(&leaf), Some(Role::Intake));
    assert_eq!(login_identity(&leaf), None);
    assert_eq!(read.dns_names(), localhost);
    assert!(build(Role::Officer(OfficerRole::Operator), &localhost).is_err());
    assert!(build(Role::Intake, &["a b".to_owned()]).is_err());

    let (subject, login) = every_kind().remove(5);
    let der = certified(&subject, &login, &P256);
    assert_eq!(
        login_identity(&der),
        Some((OfficerRole::BranchOfficer, Some(body())))
    );
    assert_eq!(service_identity(&der), None);
    assert_eq!(login_identity(b""), None);
}

proptest::proptest! {
    #[test]
    fn no_change_of_a_certificate_makes_the_readers_panic(at: usize, with: u8) {
        let (subject, particulars) = every_kind().remove(2);
        let mut der = certified(&subject, &particulars, &P256);
        let at = at % der.len();
        der[at] = with;
        let _ = Certificate::parse(&der);
        let _ = read_back(&der);
    }
}
