//! Requests for keys that are not allowed.

use openssl::{
    bn::BigNum,
    ec::{Asn1Flag, EcGroup, EcKey},
    nid::Nid,
    pkey::PKey,
    rsa::Rsa,
};

use super::{
    draft::{Draft, NULL, algorithm, key_info, rsa_key_info},
    parse, reasons,
};
use crate::{
    encode::tag,
    fixture::{P256, RSA, ec, rsa},
    oid,
};

fn refused(name: &str, draft: &Draft, expected: &[&str]) {
    assert_eq!(reasons(parse(&draft.build())), expected, "{name}");
}

fn with_key(key: Vec<u8>) -> Draft {
    Draft::rsa().with(|draft| draft.key = key)
}

/// The modulus of the test key as INTEGER content, changed.
fn modulus(change: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut modulus = vec![0];
    modulus.extend(RSA.private.rsa().unwrap().n().to_vec());
    change(&mut modulus);
    modulus
}

const E: &[u8] = &[1, 0, 1];

#[test]
fn rsa_keys_of_other_sizes_are_refused() {
    for bits in [512, 1024, 1536, 2056] {
        let draft = Draft::rsa_of(rsa(bits));
        refused(&format!("{bits} bits"), &draft, &["CSR_KEY_SIZE"]);
    }
    // 2048 by its length, 2047 by its value.
    let short = modulus(|n| {
        n.remove(0);
        n[0] &= 0x7f;
        n[0] |= 0x40;
    });
    refused(
        "2047 bits",
        &with_key(rsa_key_info(&short, E)),
        &["CSR_KEY_SIZE"],
    );
}

#[test]
fn other_rsa_exponents_are_refused() {
    let three = Rsa::generate_with_e(2048, &BigNum::from_u32(3).unwrap()).unwrap();
    let draft = Draft::rsa_of(PKey::from_rsa(three).unwrap());
    refused("e = 3", &draft, &["CSR_KEY_EXPONENT"]);
    for (name, exponent) in [
        ("e = 1", &[1][..]),
        ("even e", &[1, 0, 0]),
        ("e = 65539", &[1, 0, 3]),
        ("a long e", &[1; 20]),
    ] {
        let key = rsa_key_info(&modulus(|_| {}), exponent);
        refused(name, &with_key(key), &["CSR_KEY_EXPONENT"]);
    }
    let key = rsa_key_info(&modulus(|_| {}), &[0]);
    refused("e = 0", &with_key(key), &["CSR_KEY_ENCODING"]);
}

#[test]
fn broken_rsa_keys_are_refused() {
    let even = modulus(|n| *n.last_mut().unwrap() &= 0xfe);
    refused(
        "even modulus",
        &with_key(rsa_key_info(&even, E)),
        &["CSR_KEY_WEAK"],
    );
    let negative = modulus(|n| {
        n.remove(0);
    });
    let key = rsa_key_info(&negative, E);
    refused("negative modulus", &with_key(key), &["CSR_KEY_ENCODING"]);
    let padded = modulus(|n| n.insert(0, 0));
    refused(
        "padded modulus",
        &with_key(rsa_key_info(&padded, E)),
        &["CSR_KEY_ENCODING"],
    );
    let garbage = key_info(&algorithm(oid::RSA_ENCRYPTION, NULL), b"key");
    refused("no key at all", &with_key(garbage), &["CSR_KEY_ENCODING"]);
    let der = RSA.public.der();
    let bare = key_info(&algorithm(oid::RSA_ENCRYPTION, &[]), &der[24..]);
    refused("parameters absent", &with_key(bare), &["CSR_KEY_ENCODING"]);
}

#[test]
fn other_curves_and_their_spellings_are_refused() {
    for (name, curve) in [
        ("P-521", Nid::SECP521R1),
        ("P-224", Nid::SECP224R1),
        ("secp256k1", Nid::SECP256K1),
    ] {
        refused(name, &Draft::ec_of(ec(curve)), &["CSR_CURVE"]);
    }
    let mut group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    group.set_asn1_flag(Asn1Flag::EXPLICIT_CURVE);
    let explicit = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    refused(
        "explicit parameters",
        &Draft::ec_of(explicit),
        &["CSR_CURVE"],
    );
    let point = &P256.public.der()[P256.public.der().len() - 65..];
    let mut compressed = vec![2 | (point[64] & 1)];
    compressed.extend_from_slice(&point[1..33]);
    let mut name = vec![tag::OID, 8];
    name.extend_from_slice(oid::P256);
    let key = key_info(&algorithm(oid::EC_PUBLIC_KEY, &name), &compressed);
    let draft = Draft::p256().with(|d| d.key = key);
    refused("compressed point", &draft, &["CSR_KEY_ENCODING"]);
}

#[test]
fn other_key_algorithms_are_refused() {
    let reason = &["CSR_KEY_ALGORITHM"][..];
    let dsa = openssl::dsa::Dsa::generate(1024).unwrap();
    let dsa = PKey::from_dsa(dsa).unwrap();
    refused("DSA", &with_key(dsa.public_key_to_der().unwrap()), reason);
    let ed448 = PKey::generate_ed448().unwrap();
    refused(
        "Ed448",
        &with_key(ed448.public_key_to_der().unwrap()),
        reason,
    );
    let x25519 = PKey::generate_x25519().unwrap();
    refused(
        "X25519",
        &with_key(x25519.public_key_to_der().unwrap()),
        reason,
    );
    let pss = key_info(
        &algorithm(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10], &[]),
        &RSA.public.der()[24..],
    );
    refused("RSA-PSS key", &with_key(pss), reason);
    let short = key_info(&algorithm(oid::ED25519, &[]), &[7; 31]);
    refused("short Ed25519", &with_key(short), &["CSR_KEY_ENCODING"]);
    refused("not a key", &with_key(vec![tag::NULL, 0]), &["CSR_NOT_DER"]);
}
