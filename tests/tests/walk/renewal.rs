//! One official-duty certificate and one login certificate through three years and two renewals
//! each, and a web server's whose window opens on a 29 February and that nobody renews. For the first
//! every day's lists are fetched, for the others those of the days that matter; around every boundary
//! the states are held against what R1 to R3 say.

use lgpki_domain::{Authority, Serial};
use lgpki_proto::{
    RemoteError,
    v1::{self, ApplicationState, CertificateState as State, RevocationReason},
};
use lgpki_tests::system::{Downloaded, Office, Order, Plan, System, at};
use lgpki_x509::ocsp::Status;

const BRANCH: &str = "01001";

/// A system, and what stands in it at a given time.
struct Walk {
    system: System,
}

/// What relying parties are told of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    /// Nothing against it.
    Good,
    /// It is on the newest list, for this reason.
    Listed(RevocationReason),
}

const SUPERSEDED: Told = Told::Listed(RevocationReason::Superseded);

impl Walk {
    async fn begin() -> Self {
        let plan = Plan {
            branches: &[BRANCH],
            ..Plan::default()
        };
        Self {
            system: System::begin(plan).await,
        }
    }

    /// Every day passes until this instant, with its lists.
    async fn until(&self, day: &str, time: &str) {
        self.system.go_to_time(day, time).await;
    }

    /// What officers and relying parties are told of a certificate now.
    async fn expect(&self, serial: &str, state: State, told: Told) {
        let now = self.system.now();
        let found = self.system.operator().certificate(serial).await.unwrap();
        assert_eq!(found.state(), state, "{now}: {found:?}");
        let authority = match found.authority() {
            v1::Authority::Application => Authority::Application,
            _ => Authority::Organization,
        };
        let list = self.system.relying().crl(authority).unwrap();
        let entry = list.find(serial.parse::<Serial>().unwrap());
        let listed = entry.map_or(Told::Good, |entry| Told::Listed(entry.reason.into()));
        assert_eq!(listed, told, "{now}: {found:?}");
        // Never before the lists: the responder speaks from the inventory as it stands.
        let says = self.system.ocsp(authority, serial.parse().unwrap()).await;
        let revoked = matches!(says, Status::Revoked { .. });
        assert_eq!(
            revoked,
            state == State::Revoked,
            "{now}: {says:?} {found:?}"
        );
        assert_ne!(says, Status::Unknown, "{now}: {found:?}");
        let summary = list.summary();
        assert!(summary.this_update <= now && now < summary.next_update);
    }

    /// The operator approves, and the branch fetches what was issued.
    async fn examine_and_fetch(&self, branch: &Office, id: &str) -> Downloaded {
        assert_eq!(self.system.operator().approve_all().await.unwrap(), 1);
        branch.fetch(id).await.unwrap()
    }

    /// Waits until a renewal that was given up is closed: the certificate is what it was.
    async fn valid_again(&self, serial: &str) {
        let operator = self.system.operator();
        self.system
            .until("the certificate is valid again", || async {
                operator.state(serial).await == State::Valid
            })
            .await;
        self.expect(serial, State::Valid, Told::Good).await;
    }

    /// Waits until a delivered renewal has ended the old certificate's life.
    async fn superseded(&self, serial: &str) {
        let operator = self.system.operator();
        self.system
            .until("the old certificate is superseded", || async {
                operator.state(serial).await == State::Revoked
            })
            .await;
    }
}

/// The only fault of a refusal, which must name `words`.
fn refused<T: std::fmt::Debug>(answer: Result<T, RemoteError>, reason: &str, words: &str) {
    let refused = answer.unwrap_err();
    let faults: Vec<_> = refused.faults.iter().map(|f| f.reason.as_str()).collect();
    assert_eq!(faults, [reason], "{refused}");
    let message = &refused.faults[0].message;
    assert!(message.contains(words), "{message}");
}

#[tokio::test]
async fn a_certificate_is_renewed_twice_and_right_at_every_boundary() {
    let mut walk = Walk::begin().await;
    // Issued on a leap day: valid until the day before 28 February 2011.
    walk.until("2008-02-29", "12:00:00").await;
    let branch = walk.system.branch(BRANCH);
    let order = Order::official_duty(BRANCH, "Mayor", "市長");
    let applied = branch.apply(&order).await.unwrap();
    let first = walk.examine_and_fetch(&branch, &applied.id).await.serial;
    let never = Serial::from_bytes(&[0x5a; 16]).unwrap();
    let says = walk.system.ocsp(Authority::Organization, never).await;
    assert_eq!(says, Status::Unknown);
    let found = branch.certificate(&first).await.unwrap();
    assert!(found.not_before.starts_with("2008-02-29T00:00:00"));
    assert!(found.not_after.starts_with("2011-02-27T23:59:59"));
    walk.expect(&first, State::Valid, Told::Good).await;

    // The window: six calendar months before the day of expiry.
    walk.until("2010-08-26", "23:59:59").await;
    let early = branch.renew(&first, &order.again()).await;
    refused(early, "RENEWAL_TOO_EARLY", "2010-08-27");
    walk.expect(&first, State::Valid, Told::Good).await;
    walk.system.pass(1).await;
    let old_key = branch.renew(&first, &order).await;
    refused(old_key, "KEY_CERTIFIED_BEFORE", "");
    let renewed = order.again();
    let renewal = branch.renew(&first, &renewed).await.unwrap();
    walk.system.settle().await;
    walk.expect(&first, State::Renewing, Told::Good).await;
    let another = branch.renew(&first, &order.again()).await;
    refused(another, "RENEWAL_IS_OPEN", "");

    // A withdrawn renewal leaves it as it was, and the next may be applied for at once.
    branch.withdraw(&renewal.id).await.unwrap();
    walk.valid_again(&first).await;
    walk.until("2010-08-31", "23:59:59").await;
    let renewal = branch.renew(&first, &renewed.again()).await.unwrap();
    walk.until("2010-09-01", "14:00:00").await;
    walk.expect(&first, State::Renewing, Told::Good).await;

    // Issued on 1 September, so that it expires on 31 August and its window opens on 28 February.
    walk.system.operator().approve_all().await.unwrap();
    let issued = branch.outcome(&renewal.id).await.unwrap();
    assert_eq!(issued.state(), ApplicationState::Issued);
    let second = branch.download(&renewal.id).await.unwrap().serial;
    walk.expect(&second, State::Valid, Told::Good).await;
    // Not delivered before the branch says so, or a month has passed.
    walk.until("2010-09-20", "12:00:00").await;
    walk.expect(&first, State::Renewing, Told::Good).await;
    branch.confirm(&renewal.id).await.unwrap();
    walk.superseded(&first).await;
    walk.expect(&first, State::Revoked, Told::Good).await;
    walk.until("2010-09-21", "09:15:00").await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;
    let revoked = branch.renew(&first, &order.again()).await;
    refused(revoked, "CERTIFICATE_REVOKED_BEFORE", "");

    // The logins of the opening end on 3 February.
    walk.until("2011-02-03", "23:59:59").await;
    walk.system.renew_all_logins().await;
    let branch = walk.system.branch(BRANCH);

    // It leaves the list after one that follows its expiry.
    walk.until("2011-02-27", "23:59:59").await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;
    walk.until("2011-02-28", "09:15:00").await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;
    walk.until("2011-03-01", "09:14:59").await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;
    walk.system.pass(1).await;
    walk.expect(&first, State::Revoked, Told::Good).await;

    // The second renewal: six months before 31 August is 28 February.
    walk.until("2013-02-27", "23:59:59").await;
    let early = branch.renew(&second, &order.again()).await;
    refused(early, "RENEWAL_TOO_EARLY", "2013-02-28");
    walk.system.pass(1).await;
    let renewal = branch.renew(&second, &order.again()).await.unwrap();
    walk.system.settle().await;
    walk.expect(&second, State::Renewing, Told::Good).await;
    walk.system.operator().reject(&[renewal.id]).await.unwrap();
    walk.valid_again(&second).await;

    // Applied for in the last second of its life, and delivered when it is over.
    walk.until("2013-08-31", "23:59:59").await;
    walk.expect(&second, State::Valid, Told::Good).await;
    let renewal = branch.renew(&second, &order.again()).await.unwrap();
    walk.system.settle().await;
    walk.expect(&second, State::Renewing, Told::Good).await;
    walk.system.pass(1).await;
    walk.expect(&second, State::Expired, Told::Good).await;
    walk.until("2013-09-03", "10:00:00").await;
    let third = walk.examine_and_fetch(&branch, &renewal.id).await.serial;
    let found = branch.certificate(&third).await.unwrap();
    assert!(found.not_before.starts_with("2013-09-03T00:00:00"));
    assert!(found.not_after.starts_with("2016-09-02T23:59:59"));
    walk.until("2013-09-06", "12:00:00").await;
    walk.expect(&third, State::Valid, Told::Good).await;
    walk.expect(&second, State::Expired, Told::Good).await;
    let over = branch.renew(&second, &order.again()).await;
    refused(over, "CERTIFICATE_EXPIRED", "");
}

#[tokio::test]
async fn a_login_renews_itself_twice_and_may_do_little_meanwhile() {
    let mut walk = Walk::begin().await;
    let first = walk.system.login_serial("branch-officer-01001");
    let branch = walk.system.branch(BRANCH);
    let order = Order::login(BRANCH, "Branch Officer", "登録分局責任者");
    walk.system.jump_to(at("2010-08-01", "12:00:00")).await;
    walk.until("2010-08-02", "23:59:59").await;
    let early = branch.renew(&first, &order).await;
    refused(early, "RENEWAL_TOO_EARLY", "2010-08-03");
    walk.expect(&first, State::Valid, Told::Good).await;

    // It may still look, download and confirm, and nothing else.
    walk.until("2010-08-31", "10:00:00").await;
    let renewal = branch.renew(&first, &order).await.unwrap();
    walk.system.settle().await;
    walk.expect(&first, State::Renewing, Told::Good).await;
    let post = Order::official_duty(BRANCH, "Mayor", "市長");
    walk.system
        .until("the login in renewal may not apply", || async {
            let answer = branch.apply(&post.again()).await;
            answer.is_err_and(|refused| refused.reason == "LOGIN_IN_RENEWAL")
        })
        .await;
    assert_eq!(
        branch.application(&renewal.id).await.unwrap().id,
        renewal.id
    );
    walk.until("2010-09-01", "10:00:00").await;
    let arrived = walk.examine_and_fetch(&branch, &renewal.id).await;
    walk.superseded(&first).await;
    walk.system
        .until("the old login is let in no more", || async {
            let answer = branch.certificate(&first).await;
            answer.is_err_and(|refused| refused.reason == "CLIENT_CERTIFICATE_REVOKED")
        })
        .await;
    let second = arrived.serial.clone();
    let identity = order.identity(&arrived.certificate, &arrived.ca);
    let branch = walk.system.office_of(Some(BRANCH), identity);
    branch.apply(&post.again()).await.unwrap();
    walk.expect(&second, State::Valid, Told::Good).await;
    walk.until("2010-09-02", "09:15:00").await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;

    walk.until("2011-02-03", "23:59:59").await;
    walk.system.renew_central_logins().await;
    walk.expect(&first, State::Revoked, SUPERSEDED).await;
    walk.until("2011-02-05", "09:15:00").await;
    walk.expect(&first, State::Revoked, Told::Good).await;

    walk.system.jump_to(at("2013-02-25", "12:00:00")).await;
    // 31 August less six months is the end of February; nobody confirms the delivery this time.
    walk.until("2013-02-27", "23:59:59").await;
    let again = order.again();
    let early = branch.renew(&second, &again).await;
    refused(early, "RENEWAL_TOO_EARLY", "2013-02-28");
    walk.system.pass(1).await;
    let renewal = branch.renew(&second, &again).await.unwrap();
    walk.system.settle().await;
    walk.system.operator().approve_all().await.unwrap();
    branch.outcome(&renewal.id).await.unwrap();
    let arrived = branch.download(&renewal.id).await.unwrap();
    walk.until("2013-03-29", "23:00:00").await;
    walk.expect(&second, State::Renewing, Told::Good).await;
    walk.until("2013-03-30", "02:00:00").await;
    walk.superseded(&second).await;
    walk.until("2013-03-31", "09:15:00").await;
    walk.expect(&second, State::Revoked, SUPERSEDED).await;
    walk.expect(&arrived.serial, State::Valid, Told::Good).await;
    let identity = again.identity(&arrived.certificate, &arrived.ca);
    let branch = walk.system.office_of(Some(BRANCH), identity);
    assert!(branch.certificate(&arrived.serial).await.is_ok());
}

#[tokio::test]
async fn a_window_may_open_on_a_29_february_and_closes_with_the_last_second() {
    let mut walk = Walk::begin().await;
    // Dull years: only the days that matter have their lists.
    walk.system.jump_to(at("2009-09-01", "12:00:00")).await;
    let branch = walk.system.branch(BRANCH);
    let order = Order::web_server(BRANCH, "www.example.lg.jp");
    let applied = branch.apply(&order).await.unwrap();
    let serial = walk.examine_and_fetch(&branch, &applied.id).await.serial;
    walk.system.jump_to(at("2011-02-03", "12:00:00")).await;
    walk.system.renew_all_logins().await;
    let branch = walk.system.branch(BRANCH);

    walk.system.jump_to(at("2012-02-28", "23:59:59")).await;
    let early = branch.renew(&serial, &order.again()).await;
    refused(early, "RENEWAL_TOO_EARLY", "2012-02-29");
    walk.system.pass(1).await;
    let renewal = branch.renew(&serial, &order.again()).await.unwrap();
    walk.system.settle().await;
    walk.expect(&serial, State::Renewing, Told::Good).await;
    branch.withdraw(&renewal.id).await.unwrap();
    walk.valid_again(&serial).await;

    walk.system.jump_to(at("2012-08-31", "23:59:59")).await;
    walk.expect(&serial, State::Valid, Told::Good).await;
    walk.system.pass(1).await;
    walk.expect(&serial, State::Expired, Told::Good).await;
    let over = branch.renew(&serial, &order.again()).await;
    refused(over, "CERTIFICATE_EXPIRED", "");
}
