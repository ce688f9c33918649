//! RSA public keys: size, exponent and encoding.
//!
//! Whether a modulus of the right form is weak all the same (small or close factors, broken
//! generators) is the `keys` crate's to find out.

use lgpki_domain::{Faults, KeyAlgorithm};

use crate::{decode::Reader, encode::tag};

/// Judges an RSAPublicKey; `None` where not even its algorithm can be told.
pub(super) fn judge(der: &[u8], field: &str, faults: &mut Faults) -> Option<KeyAlgorithm> {
    let Some((modulus, exponent)) = read(der) else {
        let message = "the RSA key is not a modulus and an exponent, both positive";
        faults.push(field, "CSR_KEY_ENCODING", message);
        return None;
    };
    if exponent != [1, 0, 1] {
        let message = format!(
            "the RSA key's public exponent is {}; it must be 65537",
            show(exponent)
        );
        faults.push(field, "CSR_KEY_EXPONENT", message);
    }
    let bits = modulus.len() * 8 - modulus[0].leading_zeros() as usize;
    let algorithm = match bits {
        2048 => KeyAlgorithm::Rsa2048,
        3072 => KeyAlgorithm::Rsa3072,
        4096 => KeyAlgorithm::Rsa4096,
        _ => {
            let message =
                format!("the RSA key has {bits} bits; allowed are 2048, 3072 and 4096 bits");
            faults.push(field, "CSR_KEY_SIZE", message);
            return None;
        }
    };
    if modulus.last().is_some_and(|low| low & 1 == 0) {
        let message = "the RSA modulus is even, so it is no product of two large primes";
        faults.push(field, "CSR_KEY_WEAK", message);
    }
    Some(algorithm)
}

/// Modulus and exponent without leading zeros.
fn read(der: &[u8]) -> Option<(&[u8], &[u8])> {
    crate::decode::check_strict(der).ok()?;
    let mut outer = Reader::new(der);
    let mut key = outer.open(tag::SEQUENCE).ok()?;
    outer.finish().ok()?;
    let modulus = positive(key.expect(tag::INTEGER).ok()?)?;
    let exponent = positive(key.expect(tag::INTEGER).ok()?)?;
    key.finish().ok()?;
    Some((modulus, exponent))
}

fn positive(content: &[u8]) -> Option<&[u8]> {
    match content {
        [0, rest @ ..] if !rest.is_empty() => Some(rest),
        [first, ..] if (1..0x80).contains(first) => Some(content),
        _ => None,
    }
}

fn show(number: &[u8]) -> String {
    if number.len() <= 8 {
        let value = number.iter().fold(0_u64, |n, b| n << 8 | u64::from(*b));
        value.to_string()
    } else {
        format!("a number of {} octets", number.len())
    }
}
