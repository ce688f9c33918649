//! Each weakness is made on purpose and found; sound keys pass.

use lgpki_domain::KeyAlgorithm;
use openssl::{
    bn::{BigNum, BigNumContext},
    rsa::Rsa,
};

use super::{residues::PRIMES, *};
use crate::{Signer, SoftwareKey};

const E: &[u8] = &[1, 0, 1];

fn prime(bits: i32) -> BigNum {
    let mut p = BigNum::new().unwrap();
    p.generate_prime(bits, false, None, None).unwrap();
    p
}

fn next_prime(mut p: BigNum) -> BigNum {
    let mut context = BigNumContext::new().unwrap();
    loop {
        p.add_word(2).unwrap();
        if p.is_prime_fasttest(20, &mut context, true).unwrap() {
            return p;
        }
    }
}

#[test]
fn sound_keys_of_every_algorithm_pass() {
    for algorithm in KeyAlgorithm::ALL {
        let key = SoftwareKey::generate(algorithm).unwrap();
        assert_eq!(check(key.public_key().der()), Ok(()), "{algorithm}");
    }
}

#[test]
fn primes_next_to_each_other_are_found() {
    let p = prime(1024);
    let q = next_prime(p.to_owned().unwrap());
    let modulus = (&*p * &*q).to_vec();
    assert_eq!(check_rsa(&modulus, E), Err(Weakness::CloseFactors));
    let square = (&*p * &*p).to_vec();
    assert_eq!(check_rsa(&square, E), Err(Weakness::CloseFactors));
}

#[test]
fn primes_are_found_up_to_a_hundred_rounds_apart() {
    // The number of rounds is (p - q)² / 8√N: about 50 for 20·2^512, a million for 2^522.
    let p = prime(1024);
    for (shift, factor, expected) in [(512, 20, Err(Weakness::CloseFactors)), (522, 4, Ok(()))] {
        let mut distance = BigNum::new().unwrap();
        distance.set_bit(shift).unwrap();
        distance.mul_word(factor).unwrap();
        let q = next_prime(&*p + &*distance);
        let modulus = &*p * &*q;
        assert_eq!(modulus.num_bits(), 2048);
        assert_eq!(check_rsa(&modulus.to_vec(), E), expected, "{shift}");
    }
}

#[test]
fn small_factors_are_found() {
    let modulus = Rsa::generate(2048).unwrap().n().to_owned().unwrap();
    for factor in [2u32, 3, 5, 7, 251, 743, 751] {
        let mut context = BigNumContext::new().unwrap();
        let mut rounded = BigNum::new().unwrap();
        let divisor = BigNum::from_u32(factor).unwrap();
        rounded
            .checked_div(&modulus, &divisor, &mut context)
            .unwrap();
        // Odd cofactors, so that 2 is not found first.
        if factor != 2 && rounded.is_even() {
            rounded.sub_word(1).unwrap();
        }
        let product = (&*rounded * &*divisor).to_vec();
        match check_rsa(&product, E) {
            Err(Weakness::SmallFactor { factor: found }) => assert!(found <= factor),
            other => panic!("{factor}: {other:?}"),
        }
    }
    assert_eq!(PRIMES.last(), Some(&751));
}

#[test]
fn the_fingerprint_of_vulnerable_chips_is_found() {
    // k·M + 65537^a mod M with M the product of the primes up to 167, as those chips did.
    let mut m = BigNum::from_u32(2).unwrap();
    for p in PRIMES.iter().take_while(|p| **p <= ROCA_LARGEST) {
        m.mul_word(*p).unwrap();
    }
    let mut context = BigNumContext::new().unwrap();
    let chip_number = |bits: i32, a: u32, context: &mut BigNumContext| {
        let mut power = BigNum::new().unwrap();
        let base = BigNum::from_u32(65_537).unwrap();
        power
            .mod_exp(&base, &BigNum::from_u32(a).unwrap(), &m, context)
            .unwrap();
        let mut k = BigNum::new().unwrap();
        k.rand(bits - m.num_bits(), openssl::bn::MsbOption::TWO_ONES, false)
            .unwrap();
        &(&*k * &*m) + &*power
    };
    let p = chip_number(1025, 12_345, &mut context);
    let q = chip_number(1025, 54_321, &mut context);
    // Sizes and other factors are as they come; the same residue modulo M in a modulus of exactly
    // 2048 bits without small factors is what the chips made.
    let product = &p * &q;
    let mut residue = BigNum::new().unwrap();
    residue.checked_rem(&product, &m, &mut context).unwrap();
    let (mut top, mut steps) = (BigNum::new().unwrap(), BigNum::new().unwrap());
    top.set_bit(2047).unwrap();
    steps.checked_div(&top, &m, &mut context).unwrap();
    let modulus = loop {
        steps.add_word(1).unwrap();
        let modulus = &(&*steps * &*m) + &*residue;
        let smooth = residues(&modulus.to_vec()).iter().any(|(_, r)| *r == 0);
        if modulus.is_odd() && !smooth {
            break modulus;
        }
    };
    assert_eq!(modulus.num_bits(), 2048);
    assert_eq!(check_rsa(&modulus.to_vec(), E), Err(Weakness::Roca));
}

#[test]
fn sizes_and_exponents_off_the_list_are_found() {
    let modulus = Rsa::generate(2048).unwrap().n().to_vec();
    for exponent in [&[3][..], &[1, 0, 0], &[], &[1, 0, 1, 0, 1]] {
        assert_eq!(check_rsa(&modulus, exponent), Err(Weakness::Exponent));
    }
    assert_eq!(check_rsa(&modulus, &[0, 1, 0, 1]), Ok(()));
    let mut shorter = modulus;
    shorter[0] = 0x7f;
    assert_eq!(check_rsa(&shorter, E), Err(Weakness::Size { bits: 2047 }));
    assert_eq!(check_rsa(&[], E), Err(Weakness::Size { bits: 0 }));
}

#[test]
fn ed25519_points_of_small_order_are_found_with_either_sign() {
    for mut y in SMALL_ORDER {
        assert_eq!(check_ed25519(&y), Err(Weakness::SmallOrder));
        y[31] |= 0x80;
        assert_eq!(check_ed25519(&y), Err(Weakness::SmallOrder));
    }
    assert_eq!(check_ed25519(&[9; 31]), Err(Weakness::Malformed));
}

#[test]
fn what_is_no_key_is_malformed_at_every_length() {
    let key = SoftwareKey::generate(KeyAlgorithm::Rsa2048).unwrap();
    let der = key.public_key().der();
    for end in 0..der.len() {
        assert_eq!(check(&der[..end]), Err(Weakness::Malformed), "{end}");
    }
    let trailing = [der, &[0]].concat();
    assert_eq!(check(&trailing), Err(Weakness::Malformed));
}
