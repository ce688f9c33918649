//! Who applies for what: branches, their units, and requests with their proofs of possession.

use std::thread;

use lgpki_domain::{BodyCode, KeyAlgorithm, Names, Subject, prefecture::synthetic_bodies};
use lgpki_keys::{Signer, SoftwareKey};
use lgpki_x509::{Particulars, SubjectPublicKey, request};

use crate::{Failure, pool};

/// The branches whose officers apply, all at the same time.
pub const BRANCHES: [&str; 4] = ["01001", "13001", "27001", "47001"];

/// The units that each body registers; every post belongs to one of them.
pub const UNITS: [(&str, &str); 3] = [
    ("General Affairs Department", "総務部"),
    ("Finance Department", "財務部"),
    ("Welfare Department", "福祉部"),
];

/// One subscriber's request for an official-duty certificate.
#[derive(Clone, Debug)]
pub struct Order {
    /// Whom it names.
    pub subject: Subject,
    /// SubjectPublicKeyInfo, DER.
    pub public_key: Vec<u8>,
    /// The certification request, DER.
    pub csr: Vec<u8>,
}

/// What one branch applies for.
#[derive(Clone, Debug)]
pub struct Branch {
    /// The body's code.
    pub code: BodyCode,
    /// Its requests.
    pub orders: Vec<Order>,
}

/// Prepares `count` requests in all, with as many key pairs of `algorithm`.
pub fn branches(
    algorithm: KeyAlgorithm,
    count: usize,
    said: impl Fn(&str),
) -> Result<Vec<Branch>, Failure> {
    let mut keys = pool::keys(algorithm, count, said)?;
    let bodies = synthetic_bodies();
    let mut branches = Vec::new();
    for (number, code) in BRANCHES.into_iter().enumerate() {
        let code: BodyCode = code.parse()?;
        let body = bodies.iter().find(|body| body.code == code);
        let body = body.ok_or_else(|| format!("there is no body {code}"))?;
        let share = (count + number) / BRANCHES.len();
        let keys = keys.split_off(keys.len() - share);
        branches.push(Branch {
            code,
            orders: orders(&body.names, &keys)?,
        });
    }
    Ok(branches)
}

fn orders(body: &Names, keys: &[SoftwareKey]) -> Result<Vec<Order>, Failure> {
    let numbered: Vec<_> = keys.iter().enumerate().collect();
    thread::scope(|scope| {
        let lanes: Vec<_> = numbered
            .chunks(keys.len().div_ceil(pool::lanes()).max(1))
            .map(|share| {
                scope.spawn(move || {
                    let orders = share.iter().map(|(number, key)| order(body, *number, key));
                    orders.collect::<Result<Vec<_>, Failure>>()
                })
            })
            .collect();
        let mut orders = Vec::with_capacity(keys.len());
        for lane in lanes {
            orders.extend(
                lane.join()
                    .map_err(|_| "a thread that makes requests failed")??,
            );
        }
        Ok(orders)
    })
}

/// The request of the post with this number.
pub fn order(body: &Names, number: usize, key: &SoftwareKey) -> Result<Order, Failure> {
    let (en, ja) = UNITS[number % UNITS.len()];
    let subject = Subject {
        body: body.clone(),
        unit: Some(names(en, ja)?),
        name: names(
            &format!("Section Chief {number:06}"),
            &format!("課長{number:06}"),
        )?,
    };
    let public_key = key.public_key().der().to_vec();
    let parsed = SubjectPublicKey::parse("key", &public_key).map_err(faults)?;
    let info = request::build_info(&subject, &Particulars::OfficialDuty, &parsed)?;
    let signature = key.sign(&info)?;
    let csr = request::assemble(info, key.algorithm().signature(), &signature);
    Ok(Order {
        subject,
        public_key,
        csr,
    })
}

/// A name in both languages.
pub fn names(en: &str, ja: &str) -> Result<Names, Failure> {
    Names::try_new("names", en, ja).map_err(faults)
}

/// Faults as one error.
pub fn faults<T: std::fmt::Debug>(faults: T) -> Failure {
    format!("refused: {faults:?}").into()
}
