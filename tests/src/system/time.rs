//! Moving the clock, and waiting until what follows from it has been done.
//!
//! The clock stops at every hour at which CRLs are due, until they are published, so that each
//! day has its own and a relying party sees them all.

use std::{
    future::Future,
    sync::{
        Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use lgpki_domain::{Authority, JstDate, Randomness, Serial, Timestamp};
use lgpki_proto::v1;
use lgpki_x509::ocsp::Status;
use tokio::time::{Instant, sleep};

use super::{
    System, lock,
    running::{LOOK_AGAIN, PATIENCE},
};

/// Between two seconds of the clock that goes on while something is waited for, in the machine's own
/// time.
const BETWEEN_TICKS: Duration = Duration::from_millis(50);
/// Seconds after 00:00:00 JST at which the daily CRLs are due: the default of `crl_daily_at`.
const DAILY: i64 = 9 * 3600 + 15 * 60;

impl System {
    /// Lets the time come to `at`, day by day: each day's CRLs are published at their hour.
    pub async fn go_to(&self, at: Timestamp) {
        assert!(at >= self.now(), "{at} lies before {}", self.now());
        loop {
            let due = hour_after(self.now());
            if due > at {
                break;
            }
            self.clock.set(due);
            self.published(due).await;
        }
        self.clock.set(at);
        self.settle().await;
    }

    /// Lets the time come to a time of a day, JST, such as `("2010-08-03", "00:00:00")`.
    pub async fn go_to_time(&self, day: &str, time: &str) {
        self.go_to(at(day, time)).await;
    }

    /// Lets `seconds` pass.
    pub async fn pass(&self, seconds: i64) {
        self.go_to(self.now().plus_seconds(seconds)).await;
    }

    /// Lets the time come to noon of the next day.
    pub async fn next_day(&self) {
        let day: JstDate = self.today().plus_days(1);
        self.go_to(day.start().plus_seconds(12 * 3600)).await;
    }

    /// Sets the clock to `at` without stopping anywhere, as after a pause of the machine; what was
    /// missed is made up for.
    pub async fn jump_to(&self, at: Timestamp) {
        self.clock.set(at);
        self.settle().await;
    }

    /// Returns once nothing is left to do at this time: no application waits for the issuer or for
    /// lifecycle, what was issued stands in the inventory, and the CRLs of the last hour are published. Of applications it asks as operator, so
    /// it leaves them out where the operator's login has expired.
    pub async fn settle(&self) {
        self.until("nothing is left to do", || self.is_settled())
            .await;
    }

    /// The same after a crash: meanwhile the clock goes on, a second now and then, for what failed is
    /// tried again by it.
    pub async fn recover(&self) {
        let looks = AtomicU32::new(1);
        self.until("nothing is left to do", || async {
            let settled = self.is_settled().await;
            self.tick(&looks, settled);
            settled
        })
        .await;
    }

    async fn is_settled(&self) -> bool {
        let due = hour_after(self.now()).plus_seconds(-86_400);
        let published = |authority| {
            let list = self.relying.crl(authority);
            list.is_some_and(|list| list.summary().this_update >= due)
        };
        Authority::ALL.into_iter().all(published)
            && self.queue_is_empty().await
            && self.inventory_is_complete().await
    }

    /// Whether what was issued has reached the inventory, for which there is a moment in between.
    async fn inventory_is_complete(&self) -> bool {
        let filter = v1::ApplicationFilter {
            states: vec![v1::ApplicationState::Issued.into()],
            ..v1::ApplicationFilter::default()
        };
        let operator = self.operator();
        for issued in operator.list(filter).await.unwrap_or_default() {
            if self.is_known(&issued.serial) {
                continue;
            }
            if operator.certificate(&issued.serial).await.is_err() {
                return false;
            }
            self.know(issued.serial);
        }
        true
    }

    async fn queue_is_empty(&self) -> bool {
        let states = [
            v1::ApplicationState::Received,
            v1::ApplicationState::Approved,
            v1::ApplicationState::Queued,
            v1::ApplicationState::Issuing,
        ];
        let filter = v1::ApplicationFilter {
            states: states.map(Into::into).to_vec(),
            ..v1::ApplicationFilter::default()
        };
        match self.operator().list(filter).await {
            Ok(waiting) => waiting.is_empty(),
            Err(refused) => refused.reason == "CLIENT_CERTIFICATE_EXPIRED",
        }
    }

    /// Waits until each CA has published a CRL at or after `due`.
    pub async fn published(&self, due: Timestamp) {
        for authority in Authority::ALL {
            self.until("a CRL is published", || async {
                let list = self.relying.crl(authority);
                list.is_some_and(|list| list.summary().this_update >= due)
            })
            .await;
        }
    }

    /// Waits until the newest CRL has a certificate; the clock goes on meanwhile, for a list never
    /// bears the second of the one before.
    pub async fn until_listed(&self, authority: Authority, serial: Serial) {
        let looks = AtomicU32::new(1);
        self.until("the certificate is listed", || async {
            let list = self.relying.crl(authority);
            let listed = list.is_some_and(|list| list.find(serial).is_some());
            self.tick(&looks, listed);
            listed
        })
        .await;
    }

    /// Has the CRLs of all CAs published. The clock goes on meanwhile: no list bears the second of the
    /// one before, and a first attempt may fail after some of them were made.
    pub async fn publish_crls(&self) {
        let operator = self.operator();
        let publishing = operator.publish_crls();
        tokio::pin!(publishing);
        let published = loop {
            tokio::select! {
                published = &mut publishing => break published,
                () = sleep(BETWEEN_TICKS) => self.clock.advance_seconds(1),
            }
        };
        published.expect("the CRLs are published");
    }

    /// What the responder says of a certificate, once it can say anything: a new responder is certified
    /// a moment after the old one's time is over. Every second question bears a nonce.
    pub async fn ocsp(&self, authority: Authority, serial: Serial) -> Status {
        let mut nonce = [0; 16];
        Randomness::fill(self.random.as_ref(), &mut nonce).expect("a nonce");
        let nonce = (nonce[0] % 2 == 0).then_some(&nonce[..]);
        let looks = AtomicU32::new(1);
        let found = Mutex::new(None);
        self.until("the responder answers", || async {
            let status = self.relying.ocsp(authority, serial, nonce);
            self.tick(&looks, status.is_some());
            *lock(&found) = status;
            status.is_some()
        })
        .await;
        let found = *lock(&found);
        found.expect("it was waited for")
    }

    /// Lets a second pass at every twentieth look that was in vain.
    fn tick(&self, looks: &AtomicU32, so: bool) {
        if !so && looks.fetch_add(1, Ordering::Relaxed).is_multiple_of(20) {
            self.clock.advance_seconds(1);
        }
    }

    /// Looks again and again until `so` holds; the clock stands meanwhile.
    ///
    /// # Panics
    /// With `what`, if it does not come about for a minute of the machine's own time.
    pub async fn until<F: Future<Output = bool>>(&self, what: &str, so: impl Fn() -> F) {
        let deadline = Instant::now() + PATIENCE;
        while !so().await {
            assert!(
                Instant::now() < deadline,
                "it does not come about at {} that {what}",
                self.now()
            );
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// The instant of a day and a time of day, JST.
#[must_use]
pub fn at(day: &str, time: &str) -> Timestamp {
    let text = format!("{day}T{time}+09:00");
    text.parse().expect("a time such as 09:15:00")
}

/// The first hour after `now` at which CRLs are due.
fn hour_after(now: Timestamp) -> Timestamp {
    let today = now.jst_date();
    let hour = today.start().plus_seconds(DAILY);
    if hour > now {
        hour
    } else {
        today.plus_days(1).start().plus_seconds(DAILY)
    }
}
