//! Requests of a wrong form, signature or content.

use openssl::{
    hash::MessageDigest,
    rsa::Padding,
    sign::{RsaPssSaltlen, Signer},
};

use super::{
    super::{LARGEST, LARGEST_PEM},
    draft::{Draft, algorithm, ecdsa, extension_request, rsa_with},
    parse, reasons,
};
use crate::{
    encode::{bit_string, integer, nested, sequence, tag, tlv},
    extension,
    fixture::{P256, RSA, sign},
    oid,
    pem::{Label, encode},
};

fn refused(name: &str, bytes: &[u8], expected: &[&str]) {
    assert_eq!(reasons(parse(bytes)), expected, "{name}");
}

#[test]
fn wrong_envelopes_are_refused() {
    let good = Draft::rsa().build();
    assert!(parse(&good).is_ok());
    let pem = encode(Label::CertificateRequest, &good).unwrap();
    let other_label = encode(Label::Certificate, &good).unwrap();
    let renamed = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    assert!(parse(renamed.as_bytes()).is_ok());
    let oversized_pem = format!("-----BEGIN {}", "A".repeat(LARGEST_PEM));

    refused("empty", b"", &["CSR_EMPTY"]);
    refused("white space", b" \r\n\t", &["CSR_EMPTY"]);
    refused("oversized", &vec![0x30; LARGEST + 1], &["CSR_TOO_LARGE"]);
    refused(
        "oversized PEM",
        oversized_pem.as_bytes(),
        &["CSR_TOO_LARGE"],
    );
    refused(
        "a letter",
        "拝啓　証明書をお願いします".as_bytes(),
        &["CSR_NOT_DER"],
    );
    refused("another label", other_label.as_bytes(), &["CSR_NOT_PEM"]);
    refused("cut PEM", &pem.as_bytes()[..200], &["CSR_NOT_PEM"]);
    refused(
        "two blocks",
        format!("{pem}{pem}").as_bytes(),
        &["CSR_NOT_PEM"],
    );
    refused(
        "text after",
        format!("{pem}hello").as_bytes(),
        &["CSR_NOT_PEM"],
    );
    refused(
        "bare base64",
        pem.lines().nth(1).unwrap().as_bytes(),
        &["CSR_NOT_DER"],
    );
    refused("cut DER", &good[..good.len() - 1], &["CSR_NOT_DER"]);
    let described = format!("Certificate Request:\n{pem}");
    refused("text before", described.as_bytes(), &["CSR_NOT_PEM"]);
    let mut trailing = good.clone();
    trailing.push(0);
    refused("trailing byte", &trailing, &["CSR_TRAILING_BYTES"]);
    let twice = [good.as_slice(), good.as_slice()].concat();
    refused("two requests", &twice, &["CSR_TRAILING_BYTES"]);
}

#[test]
fn ber_is_refused() {
    let draft = Draft::rsa();
    let good = draft.build();
    let content = &good[4..];
    let mut indefinite = vec![0x30, 0x80];
    indefinite.extend_from_slice(content);
    indefinite.extend_from_slice(&[0, 0]);
    refused("indefinite length", &indefinite, &["CSR_NOT_DER"]);
    let mut long_form = vec![0x30, 0x83, 0];
    long_form.extend_from_slice(&good[2..]);
    refused("length of five octets", &long_form, &["CSR_NOT_DER"]);

    // BER hidden where nobody looks: an attribute that is passed over.
    let hidden = |value: &[u8]| {
        let mut attribute = Vec::new();
        sequence(&mut attribute, |out| {
            tlv(out, tag::OID, &[0x2a, 3]);
            tlv(out, tag::SET, value);
        });
        Draft::rsa()
            .with(|draft| draft.attributes = Some(attribute))
            .build()
    };
    assert!(parse(&hidden(&[tag::NULL, 0])).is_ok());
    refused(
        "hidden long length",
        &hidden(&[4, 0x81, 1, 0]),
        &["CSR_NOT_DER"],
    );
    refused(
        "hidden split string",
        &hidden(&[0x24, 2, 4, 0]),
        &["CSR_NOT_DER"],
    );
    refused("hidden BOOLEAN", &hidden(&[1, 1, 1]), &["CSR_NOT_DER"]);

    let padded = Draft::rsa().with(|d| d.version = vec![0, 0]).build();
    refused("padded INTEGER", &padded, &["CSR_NOT_DER"]);
    let mut odd_bits = Vec::new();
    sequence(&mut odd_bits, |out| {
        out.extend_from_slice(&draft.info());
        out.extend_from_slice(&draft.algorithm);
        tlv(out, tag::BIT_STRING, &[1, 0xfe]);
    });
    refused("odd signature", &odd_bits, &["CSR_NOT_DER"]);
    let bare = Draft::rsa().with(|d| d.attributes = None).build();
    refused("attributes missing", &bare, &["CSR_NOT_DER"]);
    let mut extra = Vec::new();
    sequence(&mut extra, |out| {
        out.extend_from_slice(content);
        tlv(out, tag::NULL, &[]);
    });
    refused("one part too many", &extra, &["CSR_NOT_DER"]);
}

#[test]
fn wrong_versions_are_refused() {
    for version in [vec![1], vec![2], vec![0xff], vec![1, 0]] {
        let request = Draft::p256().with(|d| d.version = version).build();
        refused("version", &request, &["CSR_VERSION"]);
    }
}

#[test]
fn weak_and_foreign_signature_algorithms_are_refused() {
    let with = |draft: Draft, algorithm: Vec<u8>, digest| {
        draft
            .with(|d| {
                d.algorithm = algorithm;
                d.digest = Some(digest);
            })
            .build()
    };
    let reason = &["CSR_SIGNATURE_ALGORITHM"][..];
    let md5 = with(Draft::rsa(), rsa_with(4), MessageDigest::md5());
    refused("MD5", &md5, reason);
    let sha1 = with(Draft::rsa(), rsa_with(5), MessageDigest::sha1());
    refused("SHA-1", &sha1, reason);
    let sha224 = with(Draft::rsa(), rsa_with(14), MessageDigest::sha224());
    refused("SHA-224", &sha224, reason);
    let sha1 = algorithm(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 1], &[]);
    refused(
        "ECDSA with SHA-1",
        &with(Draft::p256(), sha1, MessageDigest::sha1()),
        reason,
    );
    let sha512 = with(Draft::p256(), ecdsa(4), MessageDigest::sha512());
    refused("ECDSA with SHA-512", &sha512, reason);
    let bare = algorithm(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11], &[]);
    let bare = with(Draft::rsa(), bare, MessageDigest::sha256());
    refused("RSA without NULL", &bare, reason);
    let null = algorithm(&[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2], &[tag::NULL, 0]);
    refused(
        "ECDSA with NULL",
        &with(Draft::p256(), null, MessageDigest::sha256()),
        reason,
    );
    let crossed = with(Draft::p256(), rsa_with(11), MessageDigest::sha256());
    refused("RSA's algorithm on a P-256 key", &crossed, reason);

    let draft = Draft::rsa().with(|d| d.algorithm = rsa_with(10));
    let mut signer = Signer::new(MessageDigest::sha256(), &draft.signer).unwrap();
    signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
    signer
        .set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)
        .unwrap();
    let signature = signer.sign_oneshot_to_vec(&draft.info()).unwrap();
    refused("RSA-PSS", &draft.wrap(&draft.info(), &signature), reason);
}

#[test]
fn a_request_without_proof_of_possession_is_refused() {
    let reason = &["CSR_SIGNATURE_INVALID"][..];
    for draft in [Draft::rsa(), Draft::p256()] {
        let info = draft.info();
        let mut signature = sign(&draft.signer, draft.digest, &info);
        let last = signature.len() - 1;
        signature[last] ^= 1;
        refused("tampered signature", &draft.wrap(&info, &signature), reason);
        refused("empty signature", &draft.wrap(&info, &[]), reason);
    }
    let draft = Draft::rsa();
    let mut signed = draft.build();
    let name = signed.windows(5).position(|w| w == b"Mayor").unwrap();
    signed[name..name + 5].copy_from_slice(b"Mazor");
    refused("tampered content", &signed, reason);
    let foreign = crate::fixture::rsa(2048);
    let stolen = Draft::rsa_of(foreign)
        .with(|d| d.key = RSA.public.der().to_vec())
        .build();
    refused("signed with another key", &stolen, reason);
    let md5_inside = Draft::rsa()
        .with(|d| d.digest = Some(MessageDigest::md5()))
        .build();
    refused("MD5 under the name of SHA-256", &md5_inside, reason);
    // A point with a coordinate changed is not on the curve.
    let mut key = P256.public.der().to_vec();
    let last = key.len() - 1;
    key[last] ^= 1;
    refused(
        "point off the curve",
        &Draft::p256().with(|d| d.key = key).build(),
        reason,
    );
}

#[test]
fn requests_for_what_no_subscriber_gets_are_refused() {
    let draft = Draft::p256().extensions(|out| extension::ca_constraints(out, Some(0)));
    refused("CA", &draft.build(), &["CSR_ASKS_FOR_CA"]);
    let not_ca = Draft::p256().extensions(|out| {
        crate::encode::extension(out, oid::BASIC_CONSTRAINTS, false, |out| {
            tlv(out, tag::SEQUENCE, &[]);
        });
        extension::key_usage(out, 0x8000);
    });
    assert!(parse(&not_ca.build()).is_ok());

    let mut secret = Vec::new();
    sequence(&mut secret, |out| {
        tlv(out, tag::OID, oid::CHALLENGE_PASSWORD);
        nested(out, tag::SET, |out| tlv(out, tag::UTF8_STRING, b"secret"));
    });
    let draft = Draft::p256().with(|d| d.attributes = Some(secret));
    refused(
        "challenge password",
        &draft.build(),
        &["CSR_CHALLENGE_PASSWORD"],
    );

    let twice = Draft::p256().extensions(|out| {
        extension::key_usage(out, 0x8000);
        extension::key_usage(out, 0x8000);
    });
    refused(
        "extension twice",
        &twice.build(),
        &["CSR_EXTENSION_REPEATED"],
    );
    let mut lists = Vec::new();
    extension_request(&mut lists, |out| extension::key_usage(out, 0x8000));
    extension_request(&mut lists, |out| extension::key_usage(out, 0x8000));
    let draft = Draft::p256().with(|d| d.attributes = Some(lists));
    refused("two lists", &draft.build(), &["CSR_EXTENSION_REPEATED"]);
    let broken = Draft::p256().extensions(|out| {
        crate::encode::extension(out, oid::SUBJECT_ALT_NAME, false, |out| {
            out.extend_from_slice(&[0x30, 0x80, 0, 0]);
        });
    });
    refused("BER within an extension", &broken.build(), &["CSR_NOT_DER"]);
}

#[test]
fn every_fault_is_reported_not_just_the_first() {
    let request = Draft::rsa_of(crate::fixture::rsa(1024))
        .with(|d| {
            d.version = vec![1];
            d.algorithm = rsa_with(5);
            d.digest = Some(MessageDigest::sha1());
        })
        .extensions(|out| extension::ca_constraints(out, Some(0)))
        .build();
    assert_eq!(
        reasons(parse(&request)),
        [
            "CSR_VERSION",
            "CSR_KEY_SIZE",
            "CSR_ASKS_FOR_CA",
            "CSR_SIGNATURE_ALGORITHM"
        ]
    );
}

#[test]
fn a_deep_nest_is_refused_quickly() {
    let mut inner = Vec::new();
    integer(&mut inner, 1);
    for _ in 0..2000 {
        let mut outer = Vec::new();
        sequence(&mut outer, |out| out.extend_from_slice(&inner));
        inner = outer;
    }
    let mut request = Vec::new();
    sequence(&mut request, |out| {
        out.extend_from_slice(&inner);
        bit_string(out, &[]);
    });
    refused("deep nest", &request, &["CSR_NOT_DER"]);
}
