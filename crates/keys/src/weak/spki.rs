//! The numbers in a SubjectPublicKeyInfo, as far as the examination needs them.
//!
//! Strict DER with definite, minimal lengths and nothing left over. What it returns borrows from
//! the input; nothing is converted or allocated.

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// rsaEncryption, 1.2.840.113549.1.1.1
const RSA: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01";
/// id-Ed25519, 1.3.101.112
const ED25519: &[u8] = b"\x06\x03\x2b\x65\x70";

/// A public key.
pub(super) enum Key<'a> {
    /// RSA, numbers as the INTEGERs' content octets.
    Rsa {
        /// n
        modulus: &'a [u8],
        /// e
        exponent: &'a [u8],
    },
    /// Ed25519, 32 octets if well-formed.
    Ed25519(&'a [u8]),
    /// Anything else.
    Other,
}

/// Reads the key; `None` if it is not well-formed.
pub(super) fn read(der: &[u8]) -> Option<Key<'_>> {
    let body = only(SEQUENCE, der)?;
    let (algorithm, rest) = element(SEQUENCE, body)?;
    let bits = only(BIT_STRING, rest)?.strip_prefix(&[0])?;
    if algorithm.starts_with(RSA) {
        let numbers = only(SEQUENCE, bits)?;
        let (modulus, rest) = element(INTEGER, numbers)?;
        let exponent = only(INTEGER, rest)?;
        let positive = |n: &[u8]| n.first().is_some_and(|top| top & 0x80 == 0);
        (positive(modulus) && positive(exponent)).then_some(Key::Rsa { modulus, exponent })
    } else if algorithm == ED25519 {
        Some(Key::Ed25519(bits))
    } else {
        Some(Key::Other)
    }
}

/// The content of the one element that `input` holds.
fn only(tag: u8, input: &[u8]) -> Option<&[u8]> {
    match element(tag, input)? {
        (content, []) => Some(content),
        _ => None,
    }
}

/// The content of the first element, and what follows it.
fn element(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = input.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(*first), rest),
        0x81 => {
            let (octet, rest) = rest.split_first()?;
            (Some(usize::from(*octet)).filter(|l| *l >= 0x80)?, rest)
        }
        0x82 => {
            let (octets, rest) = rest.split_first_chunk::<2>()?;
            let length = usize::from(u16::from_be_bytes(*octets));
            (Some(length).filter(|l| *l >= 0x100)?, rest)
        }
        _ => return None,
    };
    (*found == tag)
        .then(|| rest.split_at_checked(length))
        .flatten()
}
