//! Fermat's factorization, given up after a few rounds.
//!
//! N = a² - b² with a just above √N when the two primes are close. Each round tries the next a.
//! Whether a² - N is a square is told from small residues first, so that big numbers are touched
//! once in a thousand rounds only.

use std::cmp::Ordering;

use openssl::{
    bn::{BigNum, BigNumContext, BigNumRef},
    error::ErrorStack,
};

const ROUNDS: u32 = 100;
/// Moduli whose squares are few, with their squares.
const SIEVES: [(u32, u128); 8] = [
    (64, squares_of(64)),
    (63, squares_of(63)),
    (65, squares_of(65)),
    (11, squares_of(11)),
    (17, squares_of(17)),
    (19, squares_of(19)),
    (23, squares_of(23)),
    (31, squares_of(31)),
];

/// Whether [`ROUNDS`] rounds find the factors of an odd `modulus`.
pub(super) fn factors_are_close(modulus: &[u8]) -> Result<bool, ErrorStack> {
    let mut context = BigNumContext::new()?;
    let n = BigNum::from_slice(modulus)?;
    let mut start = square_root(&n, &mut context)?;
    let mut square = BigNum::new()?;
    square.sqr(&start, &mut context)?;
    if square.ucmp(&n) == Ordering::Less {
        start.add_word(1)?;
    }
    let mut residues = Vec::with_capacity(SIEVES.len());
    for (sieve, squares) in SIEVES {
        let a = small(start.mod_word(sieve)?);
        residues.push((sieve, squares, a, small(n.mod_word(sieve)?)));
    }
    for round in 0..ROUNDS {
        if residues
            .iter()
            .all(|(sieve, squares, a, n)| may_be_square(*sieve, *squares, a + round, *n))
            && is_square_difference(&start, round, &n, &mut context)?
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether a² - n is a square modulo `sieve`.
fn may_be_square(sieve: u32, squares: u128, a: u32, n: u32) -> bool {
    let a = a % sieve;
    let difference = (a * a + sieve - n) % sieve;
    squares >> difference & 1 == 1
}

/// A bit for each square modulo `sieve`.
const fn squares_of(sieve: u32) -> u128 {
    let (mut squares, mut root) = (0, 0);
    while root < sieve {
        squares |= 1 << (root * root % sieve);
        root += 1;
    }
    squares
}

fn is_square_difference(
    start: &BigNumRef,
    round: u32,
    n: &BigNum,
    context: &mut BigNumContext,
) -> Result<bool, ErrorStack> {
    let mut a = start.to_owned()?;
    a.add_word(round)?;
    let mut square = BigNum::new()?;
    square.sqr(&a, context)?;
    let mut difference = BigNum::new()?;
    difference.checked_sub(&square, n)?;
    let root = square_root(&difference, context)?;
    square.sqr(&root, context)?;
    Ok(square.ucmp(&difference) == Ordering::Equal)
}

/// ⌊√n⌋ by Newton's method from above, begun with the root of n's first 128 bits.
fn square_root(n: &BigNum, context: &mut BigNumContext) -> Result<BigNum, ErrorStack> {
    if n.num_bits() == 0 {
        return BigNum::new();
    }
    // Even, so that its half shifts the root.
    let shift = (n.num_bits() - 127).max(0) & !1;
    let (mut top, mut root) = (BigNum::new()?, BigNum::new()?);
    top.rshift(n, shift)?;
    let top = top
        .to_vec()
        .iter()
        .fold(0, |number: u128, octet| number << 8 | u128::from(*octet));
    let above = BigNum::from_slice(&(top.isqrt() + 1).to_be_bytes())?;
    root.lshift(&above, shift / 2)?;
    let (mut quotient, mut next) = (BigNum::new()?, BigNum::new()?);
    loop {
        quotient.checked_div(n, &root, context)?;
        quotient = &*quotient + &*root;
        next.rshift1(&quotient)?;
        if next.ucmp(&root) != Ordering::Less {
            return Ok(root);
        }
        std::mem::swap(&mut root, &mut next);
    }
}

/// A residue of a number below 2^32.
fn small(residue: u64) -> u32 {
    u32::try_from(residue).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn square_roots_are_rounded_down() {
        let mut context = BigNumContext::new().unwrap();
        for (n, root) in [
            (0, 0),
            (1, 1),
            (2, 1),
            (3, 1),
            (4, 2),
            (99, 9),
            (100, 10),
            (4_294_836_225, 65_535),
        ] {
            let found = square_root(&BigNum::from_u32(n).unwrap(), &mut context).unwrap();
            assert_eq!(found, BigNum::from_u32(root).unwrap(), "{n}");
        }
    }

    #[test]
    fn square_roots_of_large_numbers_are_rounded_down() {
        let mut context = BigNumContext::new().unwrap();
        for bits in [126, 127, 128, 129, 130, 255, 1023, 1024] {
            let mut root = BigNum::new().unwrap();
            root.rand(bits, openssl::bn::MsbOption::ONE, false).unwrap();
            let mut square = BigNum::new().unwrap();
            square.sqr(&root, &mut context).unwrap();
            let exact = square_root(&square, &mut context).unwrap();
            assert_eq!(exact, root, "{bits}");
            square.sub_word(1).unwrap();
            let mut below = square_root(&square, &mut context).unwrap();
            below.add_word(1).unwrap();
            assert_eq!(below, root, "{bits}");
        }
    }

    #[test]
    fn the_sieve_lets_every_square_through() {
        for (sieve, squares) in SIEVES {
            for a in 0..200u32 {
                for b in 0..=a {
                    let n = (a * a - b * b) % sieve;
                    assert!(may_be_square(sieve, squares, a, n), "{sieve} {a} {b}");
                }
            }
        }
    }
}
