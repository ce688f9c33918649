//! Every algorithm signs what ring verifies, and a key opens only with its passphrase.

use openssl::{ec::EcGroup, ec::EcKey, rsa::Rsa, symm::Cipher};
use ring::signature as verify;

use super::*;

fn passphrase(text: &str) -> Passphrase {
    Passphrase::try_new(Zeroizing::new(text.as_bytes().to_vec()), "test").unwrap()
}

/// The key bits that ring wants: the tail of the SubjectPublicKeyInfo.
fn verifies(key: &SoftwareKey, message: &[u8], signature: &[u8]) -> bool {
    let (algorithm, bits): (&dyn verify::VerificationAlgorithm, usize) = match key.algorithm() {
        KeyAlgorithm::Rsa2048 => (&verify::RSA_PKCS1_2048_8192_SHA256, 270),
        KeyAlgorithm::Rsa3072 => (&verify::RSA_PKCS1_2048_8192_SHA256, 398),
        KeyAlgorithm::Rsa4096 => (&verify::RSA_PKCS1_2048_8192_SHA256, 526),
        KeyAlgorithm::P256 => (&verify::ECDSA_P256_SHA256_ASN1, 65),
        KeyAlgorithm::P384 => (&verify::ECDSA_P384_SHA384_ASN1, 97),
        KeyAlgorithm::Ed25519 => (&verify::ED25519, 32),
    };
    let der = key.public_key().der();
    verify::UnparsedPublicKey::new(algorithm, &der[der.len() - bits..])
        .verify(message, signature)
        .is_ok()
}

#[test]
fn every_algorithm_signs_what_ring_verifies() {
    for algorithm in KeyAlgorithm::ALL {
        let key = SoftwareKey::generate(algorithm).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        let signature = key.sign(b"tbsCertificate").unwrap();
        assert!(verifies(&key, b"tbsCertificate", &signature), "{algorithm}");
        assert!(
            !verifies(&key, b"tbsCertificatf", &signature),
            "{algorithm}"
        );
        let mut digest = Digest([0; 32]);
        let hashed = ring::digest::digest(&ring::digest::SHA256, b"tbsCertList");
        digest.0.copy_from_slice(hashed.as_ref());
        match key.sign_digest(&digest) {
            Ok(signature) => assert!(verifies(&key, b"tbsCertList", &signature), "{algorithm}"),
            Err(refused) => assert!(!key.signs_digests(), "{algorithm}: {refused}"),
        }
    }
}

#[test]
fn an_encrypted_key_opens_with_its_passphrase_and_no_other() {
    for algorithm in [
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::P256,
        KeyAlgorithm::P384,
        KeyAlgorithm::Ed25519,
    ] {
        let key = SoftwareKey::generate(algorithm).unwrap();
        let pem = key
            .to_encrypted_pkcs8_pem_with(&passphrase("合言葉 one"), 1000)
            .unwrap();
        let again =
            SoftwareKey::from_encrypted_pkcs8(pem.as_bytes(), &passphrase("合言葉 one")).unwrap();
        assert_eq!(again.public_key(), key.public_key());
        let signature = again.sign(b"m").unwrap();
        assert!(verifies(&key, b"m", &signature));
        for wrong in ["合言葉 two", "合言葉 one ", "x"] {
            let refused =
                SoftwareKey::from_encrypted_pkcs8(pem.as_bytes(), &passphrase(wrong)).unwrap_err();
            assert!(matches!(refused, KeyError::WrongPassphrase), "{refused}");
        }
    }
}

#[test]
fn the_default_encryption_names_its_algorithms_and_iterations() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let pem = key.to_encrypted_pkcs8_pem(&passphrase("p")).unwrap();
    let body: String = pem.lines().filter(|l| !l.starts_with('-')).collect();
    let der = openssl::base64::decode_block(&body).unwrap();
    let holds = |needle: &[u8]| der.windows(needle.len()).any(|w| w == needle);
    assert!(holds(b"\x02\x03\x09\x27\xc0"), "600,000 iterations");
    assert!(holds(b"\x2a\x86\x48\x86\xf7\x0d\x02\x09"), "hmacWithSHA256");
    assert!(holds(b"\x60\x86\x48\x01\x65\x03\x04\x01\x2a"), "aes256-CBC");
    let again = SoftwareKey::from_encrypted_pkcs8(&der, &passphrase("p")).unwrap();
    assert_eq!(again.public_key(), key.public_key());
}

#[test]
fn a_key_that_openssl_encrypted_opens_too() {
    let key = SoftwareKey::generate(KeyAlgorithm::P384).unwrap();
    let pem = key
        .key
        .private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"p")
        .unwrap();
    assert!(SoftwareKey::from_encrypted_pkcs8(&pem, &passphrase("p")).is_ok());
}

#[test]
fn a_plain_key_is_refused_in_either_form() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let plain = key.key.private_key_to_pem_pkcs8().unwrap();
    for bytes in [
        plain.as_slice(),
        &key.to_pkcs8_der().unwrap(),
        b"",
        b"\x30\x82",
        b"garbage",
    ] {
        let refused = SoftwareKey::from_encrypted_pkcs8(bytes, &passphrase("p")).unwrap_err();
        assert!(matches!(refused, KeyError::NotEncrypted), "{refused}");
    }
}

#[test]
fn keys_outside_the_allow_list_are_refused() {
    let three = openssl::bn::BigNum::from_u32(3).unwrap();
    let curve = EcGroup::from_curve_name(Nid::SECP521R1).unwrap();
    let foreign = [
        PKey::from_rsa(Rsa::generate(1024).unwrap()).unwrap(),
        PKey::from_rsa(Rsa::generate_with_e(2048, &three).unwrap()).unwrap(),
        PKey::from_ec_key(EcKey::generate(&curve).unwrap()).unwrap(),
        PKey::generate_ed448().unwrap(),
    ];
    for key in foreign {
        let pem = key
            .private_key_to_pem_pkcs8_passphrase(Cipher::aes_128_cbc(), b"p")
            .unwrap();
        let refused = SoftwareKey::from_encrypted_pkcs8(&pem, &passphrase("p")).unwrap_err();
        assert!(matches!(refused, KeyError::NotAllowed { .. }), "{refused}");
    }
}

#[test]
fn debug_shows_nothing_of_the_private_key() {
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let digest = key.public_key().digest();
    assert_eq!(
        format!("{key:?}"),
        format!("SoftwareKey {{ algorithm: P256, public: SubjectPublicKey({digest}), .. }}")
    );
}

#[test]
fn a_key_on_disk_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.key.pem");
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let pem = key
        .to_encrypted_pkcs8_pem_with(&passphrase("p"), 1)
        .unwrap();
    crate::write_private(&path, pem.as_bytes()).unwrap();
    let again = SoftwareKey::load(&path, &passphrase("p")).unwrap();
    assert_eq!(again.public_key(), key.public_key());
    let missing = SoftwareKey::load(&dir.path().join("none"), &passphrase("p")).unwrap_err();
    assert!(missing.to_string().contains("none"), "{missing}");
}

#[test]
fn the_openssl_command_opens_a_key_file() {
    let Some(openssl) = lgpki_testkit::tool::tool("openssl", "openssl") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let (key_file, pass_file) = (dir.path().join("key.pem"), dir.path().join("pass"));
    let key = SoftwareKey::generate(KeyAlgorithm::P256).unwrap();
    let pem = key.to_encrypted_pkcs8_pem(&passphrase("secret")).unwrap();
    crate::write_private(&key_file, pem.as_bytes()).unwrap();
    for (text, opens) in [("secret\n", true), ("other\n", false)] {
        fs::write(&pass_file, text).unwrap();
        let output = openssl
            .command()
            .args(["pkey", "-pubout", "-outform", "DER", "-in"])
            .arg(&key_file)
            .arg("-passin")
            .arg(format!("file:{}", pass_file.display()))
            .output()
            .unwrap();
        assert_eq!(output.status.success(), opens, "{output:?}");
        if opens {
            assert_eq!(output.stdout, key.public_key().der());
        }
    }
}
