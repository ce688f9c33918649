//! Writing an EncryptedPrivateKeyInfo (RFC 5958) with PBES2 (RFC 8018).
//!
//! OpenSSL's own writer fixes PBKDF2 at 2,048 iterations, too few for a passphrase that a person
//! can remember. So the derivation and the encryption are OpenSSL's, called one by one with
//! [`ITERATIONS`], and only the few DER headers around them are written here. Reading is left to
//! OpenSSL, which takes the iterations from the file; `openssl pkey -in key.pem` opens it too.

use openssl::{hash::MessageDigest, pkcs5::pbkdf2_hmac, rand::rand_bytes, symm};
use zeroize::Zeroizing;

use crate::{error::KeyError, passphrase::Passphrase};

/// Iterations of PBKDF2-HMAC-SHA256, as OWASP recommends; about a tenth of a second.
pub const ITERATIONS: u32 = 600_000;

const LABEL: &str = "ENCRYPTED PRIVATE KEY";
const SALT: usize = 16;
const IV: usize = 16;

const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
/// id-PBES2, 1.2.840.113549.1.5.13
const PBES2: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0d";
/// id-PBKDF2, 1.2.840.113549.1.5.12
const PBKDF2: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05\x0c";
/// AlgorithmIdentifier of id-hmacWithSHA256, 1.2.840.113549.2.9, with NULL parameters
const HMAC_SHA256: &[u8] = b"\x30\x0c\x06\x08\x2a\x86\x48\x86\xf7\x0d\x02\x09\x05\x00";
/// aes256-CBC-PAD, 2.16.840.1.101.3.4.1.42
const AES_256_CBC: &[u8] = b"\x06\x09\x60\x86\x48\x01\x65\x03\x04\x01\x2a";

/// Encrypts a PrivateKeyInfo: PBKDF2-HMAC-SHA256, AES-256-CBC, DER.
pub(crate) fn encrypt(
    private_key_info: &[u8],
    passphrase: &Passphrase,
    iterations: u32,
) -> Result<Vec<u8>, KeyError> {
    let (mut salt, mut iv) = ([0; SALT], [0; IV]);
    rand_bytes(&mut salt).map_err(KeyError::openssl("draw a salt"))?;
    rand_bytes(&mut iv).map_err(KeyError::openssl("draw an initialization vector"))?;
    let mut key = Zeroizing::new([0; 32]);
    pbkdf2_hmac(
        passphrase.expose(),
        &salt,
        usize::try_from(iterations).unwrap_or(usize::MAX),
        MessageDigest::sha256(),
        &mut *key,
    )
    .map_err(KeyError::openssl("derive a key from the passphrase"))?;
    let encrypted = symm::encrypt(
        symm::Cipher::aes_256_cbc(),
        &*key,
        Some(&iv),
        private_key_info,
    )
    .map_err(KeyError::openssl("encrypt the private key"))?;

    let derivation = tlv(
        SEQUENCE,
        &[
            PBKDF2,
            &tlv(
                SEQUENCE,
                &[
                    &tlv(OCTET_STRING, &[&salt]),
                    &integer(iterations),
                    HMAC_SHA256,
                ],
            ),
        ],
    );
    let cipher = tlv(SEQUENCE, &[AES_256_CBC, &tlv(OCTET_STRING, &[&iv])]);
    let algorithm = tlv(SEQUENCE, &[PBES2, &tlv(SEQUENCE, &[&derivation, &cipher])]);
    Ok(tlv(
        SEQUENCE,
        &[&algorithm, &tlv(OCTET_STRING, &[&encrypted])],
    ))
}

/// The PEM form (RFC 7468 §11).
pub(crate) fn to_pem(encrypted: &[u8]) -> String {
    let base64 = openssl::base64::encode_block(encrypted);
    let mut pem = format!("-----BEGIN {LABEL}-----\n");
    for line in base64.as_bytes().chunks(64) {
        pem.extend(line.iter().copied().map(char::from));
        pem.push('\n');
    }
    pem + &format!("-----END {LABEL}-----\n")
}

/// Whether the text is one PEM block of an encrypted private key, and no other.
pub(crate) fn is_encrypted_pem(bytes: &[u8]) -> bool {
    let count = |needle: &str| {
        bytes
            .windows(needle.len())
            .filter(|window| *window == needle.as_bytes())
            .count()
    };
    count("-----BEGIN ") == 1 && count(&format!("-----BEGIN {LABEL}-----")) == 1
}

/// Whether DER holds an EncryptedPrivateKeyInfo: its first element is an AlgorithmIdentifier,
/// where a plain PrivateKeyInfo begins with a version.
pub(crate) fn is_encrypted_der(bytes: &[u8]) -> bool {
    let header = match bytes {
        [SEQUENCE, length, ..] if *length < 0x80 => 2,
        [SEQUENCE, 0x81, ..] => 3,
        [SEQUENCE, 0x82, ..] => 4,
        _ => return false,
    };
    bytes.get(header) == Some(&SEQUENCE)
}

fn tlv(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let content: usize = parts.iter().map(|p| p.len()).sum();
    let length = content.to_be_bytes();
    let significant = &length[length.iter().take_while(|b| **b == 0).count()..];
    let mut out = vec![tag];
    match u8::try_from(content) {
        Ok(short) if short < 0x80 => out.push(short),
        _ => {
            // At most eight octets of length.
            out.push(0x80 | u8::try_from(significant.len()).unwrap_or(8));
            out.extend_from_slice(significant);
        }
    }
    for part in parts {
        out.extend_from_slice(part);
    }
    out
}

fn integer(value: u32) -> Vec<u8> {
    let bytes = value.to_be_bytes();
    let zeros = bytes.iter().take_while(|b| **b == 0).count().min(3);
    let significant = &bytes[zeros..];
    if significant[0] & 0x80 == 0 {
        tlv(INTEGER, &[significant])
    } else {
        tlv(INTEGER, &[&[0], significant])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_and_integers_are_minimal_der() {
        assert_eq!(tlv(4, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(tlv(4, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(tlv(4, &[&[7; 300]])[..4], [4, 0x82, 1, 44]);
        assert_eq!(integer(0), [2, 1, 0]);
        assert_eq!(integer(128), [2, 2, 0, 128]);
        assert_eq!(integer(600_000), [2, 3, 9, 39, 192]);
    }

    #[test]
    fn only_one_encrypted_pem_block_is_taken_for_one() {
        let pem = to_pem(&[1, 2, 3]);
        assert!(is_encrypted_pem(pem.as_bytes()));
        assert!(!is_encrypted_pem(format!("{pem}{pem}").as_bytes()));
        assert!(!is_encrypted_pem(pem.replace("ENCRYPTED ", "").as_bytes()));
    }
}
