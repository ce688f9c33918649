//! The system, and what the officers were told.

use std::collections::BTreeMap;

use lgpki_domain::{
    CrlOptions, JstDate, RenewalWindow, Serial, Timestamp, validity::CA_ISSUING_YEARS,
};
use lgpki_proto::{
    RemoteError,
    v1::{self, ApplicationState as State, submit_application_request::Content},
};
use lgpki_tests::system::{Office, Order, Plan, System};

use crate::moves::{Act, Move};

/// The branch that acts.
pub(crate) const BRANCH: &str = "01001";
/// Subjects of each sort that are applied for.
const SUBJECTS: u8 = 3;
/// Refusals that such sequences lead to; any other is a fault of the system.
const EXPECTED: [&str; 9] = [
    "RENEWAL_TOO_EARLY",
    "RENEWAL_IS_OPEN",
    "SUBJECT_HAS_VALID_CERTIFICATE",
    "SUBJECT_HAS_OPEN_APPLICATION",
    "CERTIFICATE_REVOKED_BEFORE",
    "CERTIFICATE_EXPIRED",
    "REVOCATION_IS_OPEN",
    "APPLICATION_WRONG_STATE",
    // The certificate was issued a moment ago, and intake's picture of the inventory lags behind.
    "CERTIFICATE_UNKNOWN",
];

/// The system and what was told about it.
pub(crate) struct World {
    /// The system.
    pub(crate) system: System,
    /// Every acknowledged application.
    pub(crate) told: BTreeMap<String, Told>,
    /// Certificates that were revoked when they were looked at last, with the time of that look.
    pub(crate) revoked: BTreeMap<Serial, Timestamp>,
    /// What happened.
    pub(crate) tally: Tally,
    /// The last day on which the CAs issue, less a year.
    last_day: JstDate,
}

/// An acknowledged application.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// As it was sent.
    pub(crate) request: v1::SubmitApplicationRequest,
    /// Where it stood when it was looked at last.
    pub(crate) state: State,
}

/// How often what happened.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(BTreeMap<String, u64>);

impl Tally {
    /// What is too frequent to be missed by chance.
    const EXPECTED: [&str; 14] = [
        "renew",
        "apply",
        "approve",
        "reject",
        "withdraw",
        "fetch",
        "revoke",
        "pass",
        "crash of issuer",
        "crash of lifecycle",
        "crash of intake",
        "publish",
        "a delta with its complete list",
        "a delta alone",
    ];

    /// Counts one more.
    pub(crate) fn count(&mut self, what: &str) {
        *self.0.entry(what.to_owned()).or_default() += 1;
    }

    /// Adds those of another.
    pub(crate) fn add(&mut self, other: &Self) {
        for (what, count) in &other.0 {
            *self.0.entry(what.clone()).or_default() += count;
        }
    }

    /// All that should happen now and then.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, u64)> {
        let count = |what| (what, self.0.get(what).copied().unwrap_or_default());
        Self::EXPECTED.into_iter().map(count)
    }
}

impl World {
    pub(crate) async fn new() -> Self {
        let plan = Plan {
            branches: &[BRANCH],
            crl: CrlOptions {
                delta: true,
                ..CrlOptions::default()
            },
            ..Plan::default()
        };
        Self {
            last_day: plan.opening.plus_months(12 * (CA_ISSUING_YEARS - 1)),
            system: System::begin(plan).await,
            told: BTreeMap::new(),
            revoked: BTreeMap::new(),
            tally: Tally::default(),
        }
    }

    /// Does one step, with its crash if it has one, and lets the system come to rest.
    pub(crate) async fn make(&mut self, next: &Move) {
        if let Some(seconds) = self.seconds(next.act) {
            self.pass(seconds, next).await;
            return;
        }
        if let Act::Publish = next.act {
            self.publish(next.crash).await;
            return;
        }
        if let Act::Renew(which) = next.act {
            self.wait_for_a_window(which).await;
        }
        let (branch, operator) = (self.system.branch(BRANCH), self.system.operator());
        let stands = Stand {
            applications: operator.list(v1::ApplicationFilter::default()).await,
            inventory: operator.inventory().await,
            now: self.system.now(),
        };
        let acting = tokio::spawn(act(branch, operator, next.act, stands));
        if let Some(service) = next.crash {
            self.tally.count(&format!("crash of {service}"));
            self.system.restart(service).await;
        }
        let done = acting.await.expect("a step ends");
        self.system.recover().await;
        self.note(next.act, done);
    }

    /// The operator has all CRLs published; a crash falls upon what that leaves.
    async fn publish(&mut self, crash: Option<lgpki_proto::ServiceName>) {
        self.system.publish_crls().await;
        if let Some(service) = crash {
            self.tally.count(&format!("crash of {service}"));
            self.system.restart(service).await;
        }
        self.system.recover().await;
        self.tally.count("publish");
    }

    /// Three times of four, lets the time come to the first window of those certificates that stand:
    /// left to chance, most renewals would come too early.
    async fn wait_for_a_window(&mut self, which: u8) {
        let inventory = self.system.operator().inventory().await;
        let opening = inventory
            .expect("the inventory")
            .iter()
            .filter(|found| found.branch == BRANCH && found.kind() != v1::CertificateKind::Login)
            .filter(|found| found.state() == v1::CertificateState::Valid)
            .map(opens)
            .min();
        let Some(opening) = opening.filter(|_| !which.is_multiple_of(4)) else {
            return;
        };
        let seconds = opening.as_seconds() - self.system.now().as_seconds();
        if seconds > 0 {
            let jump = Move {
                act: Act::Months(0),
                crash: None,
            };
            self.pass(seconds, &jump).await;
        }
    }

    /// How long a step lasts, if it is one of waiting.
    fn seconds(&self, act: Act) -> Option<i64> {
        let today = self.system.today();
        let until = match act {
            Act::Seconds(count) => return Some(count.into()),
            Act::Hours(count) => return Some(i64::from(count) * 3600),
            Act::Days(count) => today.plus_days(count.into()),
            Act::Months(count) => today.plus_months(count.into()),
            _ => return None,
        };
        Some(until.start().as_seconds() - today.start().as_seconds())
    }

    /// Lets time pass: a few days one by one, months at once. Logins that expire on the way are made
    /// anew by ceremony on their last day.
    async fn pass(&mut self, seconds: i64, next: &Move) {
        let (now, until) = (self.system.now(), self.system.now().plus_seconds(seconds));
        if until.jst_date() > self.last_day {
            return;
        }
        let logins = self.system.login_validity();
        if now <= logins.not_after() && logins.not_after() < until {
            self.system.jump_to(logins.not_after()).await;
            self.system.renew_all_logins().await;
            self.tally.count("relogin");
        }
        self.tally.count("pass");
        if let Some(service) = next.crash {
            self.tally.count(&format!("crash of {service}"));
            self.system.clock().set(until.max(self.system.now()));
            self.system.restart(service).await;
            self.system.recover().await;
        } else if matches!(next.act, Act::Months(_)) {
            self.system.jump_to(until.max(self.system.now())).await;
        } else {
            self.system.go_to(until.max(self.system.now())).await;
        }
    }

    fn note(&mut self, act: Act, done: Done) {
        let name = format!("{act:?}").to_lowercase();
        let name: String = name.chars().take_while(|c| c.is_alphabetic()).collect();
        match done {
            Done::Nothing => {}
            Done::Accepted(accepted) => {
                let (request, application) = *accepted;
                let state = application.state();
                let told = Told { request, state };
                let before = self.told.insert(application.id, told);
                assert!(before.is_none(), "two applications have one number");
                self.tally.count(&name);
            }
            Done::Well => self.tally.count(&name),
            Done::Refused(refused) => {
                let faults = refused.faults.iter().map(|fault| fault.reason.as_str());
                let mut reasons: Vec<_> = faults.collect();
                if reasons.is_empty() {
                    reasons.push(&refused.reason);
                }
                for reason in reasons {
                    assert!(EXPECTED.contains(&reason), "{act:?}: {refused}");
                    self.tally.count(&format!("refused with {reason}"));
                }
            }
        }
    }
}

/// What stood before a step.
struct Stand {
    applications: Result<Vec<v1::Application>, RemoteError>,
    inventory: Result<Vec<v1::Certificate>, RemoteError>,
    now: Timestamp,
}

/// What came of a step.
enum Done {
    /// There was nothing to do it with.
    Nothing,
    /// An application was acknowledged.
    Accepted(Box<(v1::SubmitApplicationRequest, v1::Application)>),
    /// It was done.
    Well,
    /// It was refused.
    Refused(RemoteError),
}

impl<T> From<Result<T, RemoteError>> for Done {
    fn from(answer: Result<T, RemoteError>) -> Self {
        match answer {
            Ok(_) => Self::Well,
            Err(refused) => Self::Refused(refused),
        }
    }
}

async fn act(branch: Office, operator: Office, act: Act, stands: Stand) -> Done {
    let now = stands.now;
    let applications = stands.applications.expect("the applications");
    let certificates: Vec<_> = stands
        .inventory
        .expect("the inventory")
        .into_iter()
        .filter(|found| found.branch == BRANCH && found.kind() != v1::CertificateKind::Login)
        .collect();
    let of = |state: State, which| {
        let fit: Vec<_> = applications.iter().filter(|a| a.state() == state).collect();
        pick(&fit, which).map(|found| found.id.clone())
    };
    match act {
        Act::Apply(which) => {
            let content = Content::Issue(order(which).content);
            submit(&branch, &content).await
        }
        Act::Approve => match operator.approve_all().await {
            Ok(0) => Done::Nothing,
            answer => answer.into(),
        },
        Act::Reject(which) => match of(State::Examining, which) {
            Some(id) => operator.reject(&[id]).await.into(),
            None => Done::Nothing,
        },
        Act::Withdraw(which) => match of(State::Examining, which) {
            Some(id) => branch.withdraw(&id).await.into(),
            None => Done::Nothing,
        },
        Act::Fetch(which) => match of(State::Issued, which) {
            Some(id) => branch.fetch(&id).await.into(),
            None => Done::Nothing,
        },
        Act::Revoke(which, reason) => {
            let Some(certificate) = pick(&certificates, which) else {
                return Done::Nothing;
            };
            let content = v1::RevokeContent {
                serial: certificate.serial.clone(),
                reason: reason.into(),
            };
            submit(&branch, &Content::Revoke(content)).await
        }
        Act::Renew(which) => {
            let open: Vec<_> = certificates.iter().filter(|c| renewable(c, now)).collect();
            let within = pick(&open, which).copied();
            let Some(certificate) = within.or_else(|| pick(&certificates, which)) else {
                return Done::Nothing;
            };
            let order = Order::for_the_same_as(certificate);
            let content = order.renewal(&certificate.serial);
            submit(&branch, &Content::Renew(content)).await
        }
        Act::Abolish(which) => {
            let Some(certificate) = pick(&certificates, which) else {
                return Done::Nothing;
            };
            let content = v1::AbolishContent {
                serial: certificate.serial.clone(),
            };
            submit(&branch, &Content::Abolish(content)).await
        }
        Act::Publish | Act::Seconds(_) | Act::Hours(_) | Act::Days(_) | Act::Months(_) => {
            Done::Nothing
        }
    }
}

async fn submit(branch: &Office, content: &Content) -> Done {
    let request = branch.request(BRANCH, content.clone());
    match branch.send(request.clone()).await {
        Ok(application) => Done::Accepted(Box::new((request, application))),
        Err(refused) => Done::Refused(refused),
    }
}

/// Whether a renewal is due.
fn renewable(certificate: &v1::Certificate, now: Timestamp) -> bool {
    certificate.state() == v1::CertificateState::Valid && opens(certificate) <= now
}

/// When a certificate's window opens.
fn opens(certificate: &v1::Certificate) -> Timestamp {
    let ends: Timestamp = certificate.not_after.parse().expect("a time");
    RenewalWindow::of(ends.jst_date()).opens().start()
}

/// The order for a subject: so many posts, so many hosts.
fn order(which: u8) -> Order {
    let number = which % SUBJECTS + 1;
    if (which / SUBJECTS).is_multiple_of(2) {
        Order::official_duty(BRANCH, &format!("Mayor {number}"), &format!("市長{number}"))
    } else {
        Order::web_server(BRANCH, &format!("www{number}.example.lg.jp"))
    }
}

fn pick<T>(all: &[T], which: u8) -> Option<&T> {
    let count = all.len().max(1);
    all.get(usize::from(which) % count)
}
