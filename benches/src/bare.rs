//! The yardstick: what the cryptography alone costs, with the same libraries.
//!
//! One proof-of-possession check over a request's raw bytes (ring) and one CA signature over a real
//! tbsCertificate (OpenSSL), on as many threads at once as the services have cores, because two busy
//! cores are each slower than one alone on many machines.

use std::{thread, time::Duration};

use lgpki_domain::{Authority, KeyAlgorithm, Serial, Timestamp, Validity};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_x509::{
    Addresses, Blueprint, Issuer, Particulars, SubjectPublicKey,
    authority::{self, CaBlueprint},
    lint::{self, Linted},
    signed::{self, Signed},
    tbs,
};
use serde::Serialize;

use crate::{
    Failure, cpu, pool,
    scene::{self, Order},
};

/// CPU time of the two operations, each in microseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Bare {
    /// One check of a request's signature.
    pub check_us: f64,
    /// One CA signature.
    pub sign_us: f64,
}

impl Bare {
    /// Both together, in microseconds.
    #[must_use]
    pub fn total_us(self) -> f64 {
        self.check_us + self.sign_us
    }

    /// The mean of several measurements.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a handful of measurements")]
    pub fn mean(of: &[Self]) -> Self {
        let mean = |part: fn(&Self) -> f64| of.iter().map(part).sum::<f64>() / of.len() as f64;
        Self {
            check_us: mean(|b| b.check_us),
            sign_us: mean(|b| b.sign_us),
        }
    }
}

/// A CA as the issuer holds one, without the services around it.
#[derive(Debug)]
pub struct Ca {
    /// Its key.
    pub key: SoftwareKey,
    /// What stands in its certificates.
    pub issuer: Issuer,
}

impl Ca {
    /// A new Organization CA.
    pub fn new(algorithm: KeyAlgorithm, now: Timestamp) -> Result<Self, Failure> {
        let key = SoftwareKey::generate(algorithm)?;
        let public_key =
            SubjectPublicKey::parse("key", key.public_key().der()).map_err(scene::faults)?;
        let blueprint = CaBlueprint {
            authority: Authority::Organization,
            public_key: &public_key,
            serial: serial(1)?,
            validity: Validity::for_ca(now.jst_date()),
        };
        let linted = lint::lint_authority(&blueprint, authority::build(&blueprint)?)?;
        let signature = key.sign(linted.tbs())?;
        let certificate = linted.into_certificate(&signature);
        let bases = [String::from("http://127.0.0.1:7446")];
        let addresses = Addresses::at(&bases, Authority::Organization, 1);
        let issuer = Issuer::try_new(Authority::Organization, 1, &certificate, addresses)?;
        Ok(Self { key, issuer })
    }

    /// The tbsCertificate that answers an order, linted.
    pub fn linted(&self, order: &Order, number: u64, now: Timestamp) -> Result<Linted, Failure> {
        let public_key =
            SubjectPublicKey::parse("key", &order.public_key).map_err(scene::faults)?;
        let blueprint = Blueprint {
            subject: &order.subject,
            particulars: &Particulars::OfficialDuty,
            public_key: &public_key,
            serial: serial(number)?,
            validity: Validity::for_subscriber(now.jst_date()),
        };
        let tbs = tbs::build(&self.issuer, &blueprint)?;
        Ok(lint::lint_certificate(&self.issuer, &blueprint, tbs)?)
    }

    /// A certificate that answers an order.
    pub fn certificate(
        &self,
        order: &Order,
        number: u64,
        now: Timestamp,
    ) -> Result<Vec<u8>, Failure> {
        let linted = self.linted(order, number, now)?;
        let (tbs, algorithm) = (linted.tbs().to_vec(), linted.algorithm());
        let signature = self.key.sign(&tbs)?;
        Ok(signed::assemble(tbs, algorithm, &signature))
    }
}

/// A serial number of the issuer's form.
pub fn serial(number: u64) -> Result<Serial, Failure> {
    let mut bytes = [0x41; 16];
    bytes[8..].copy_from_slice(&number.to_be_bytes());
    Serial::from_bytes(&bytes).ok_or_else(|| "the serial number has another form".into())
}

/// One order's operands.
struct Operands<'a> {
    key: SubjectPublicKey,
    request: Signed<'a>,
    tbs: Vec<u8>,
}

/// Measures both operations over `orders`, some `repetitions` on each thread.
pub fn measure(
    ca: &Ca,
    orders: &[Order],
    repetitions: usize,
    now: Timestamp,
) -> Result<Bare, Failure> {
    let mut operands = Vec::new();
    for (number, order) in (1..).zip(orders) {
        operands.push(Operands {
            key: SubjectPublicKey::parse("key", &order.public_key).map_err(scene::faults)?,
            request: Signed::parse(&order.csr)?,
            tbs: ca.linted(order, number, now)?.tbs().to_vec(),
        });
    }
    if operands.is_empty() {
        return Err("there is nothing to measure with".into());
    }
    let lane = || -> Result<(Duration, Duration), Failure> {
        let (mut checking, mut signing) = (Duration::ZERO, Duration::ZERO);
        for one in operands.iter().cycle().take(repetitions) {
            let start = cpu::of_this_thread();
            if !one.request.is_signed_by(&one.key) {
                return Err("a proof of possession did not hold".into());
            }
            let checked = cpu::of_this_thread();
            let signature = ca.key.sign(&one.tbs)?;
            let signed = cpu::of_this_thread();
            if signature.is_empty() {
                return Err("the CA made no signature".into());
            }
            checking += checked.saturating_sub(start);
            signing += signed.saturating_sub(checked);
        }
        Ok((checking, signing))
    };
    let lanes = pool::lanes();
    let times = thread::scope(|scope| {
        let running: Vec<_> = (0..lanes).map(|_| scope.spawn(lane)).collect();
        running
            .into_iter()
            .map(|lane| lane.join().map_err(|_| "a measuring thread failed")?)
            .collect::<Result<Vec<_>, Failure>>()
    })?;
    let each = |part: fn(&(Duration, Duration)) -> Duration| {
        let total: Duration = times.iter().map(part).sum();
        micros(total, repetitions * lanes)
    };
    Ok(Bare {
        check_us: each(|t| t.0),
        sign_us: each(|t| t.1),
    })
}

/// Microseconds per one of `count`.
#[must_use]
#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
pub fn micros(total: Duration, count: usize) -> f64 {
    total.as_secs_f64() * 1e6 / count.max(1) as f64
}
