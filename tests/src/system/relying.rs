//! A relying party: fetches what is published over plain HTTP, and holds each CRL against the ones
//! that it saw before.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use lgpki_domain::{Authority, AuthorityKey, CrlOptions, CrlSeries, Serial};
use lgpki_x509::{
    Addresses, Certificate, Issuer,
    crl::RevocationList,
    issuer::crl_file_of,
    ocsp::{
        BasicResponse, HashAlgorithm, IssuerId, REQUEST_TYPE, ResponseError, Status, write_request,
    },
};

use crate::{get, post};

/// Fetches, and remembers every list.
#[derive(Clone, Debug)]
pub struct RelyingParty {
    port: u16,
    authorities: BTreeMap<Authority, Vec<u8>>,
    crl: CrlOptions,
    seen: Seen,
    deltas: Seen,
}

/// The lists of each CA, the oldest first.
type Seen = Arc<Mutex<BTreeMap<Authority, Vec<Arc<RevocationList>>>>>;

impl RelyingParty {
    pub(super) fn new(
        port: u16,
        authorities: BTreeMap<Authority, Vec<u8>>,
        crl: CrlOptions,
    ) -> Self {
        Self {
            port,
            authorities,
            crl,
            seen: Arc::default(),
            deltas: Arc::default(),
        }
    }

    /// The certificate of a CA, as everybody has it, DER.
    #[must_use]
    pub fn authority(&self, authority: Authority) -> &[u8] {
        &self.authorities[&authority]
    }

    /// What is published at a path such as `/ca/organization-1.cer`; none if nothing is.
    #[must_use]
    pub fn fetch(&self, path: &str) -> Option<Vec<u8>> {
        let answer = get(self.port, path).expect("the publication port answers");
        match answer.status {
            200 => Some(answer.body),
            404 => None,
            status => panic!("{path} is answered with {status}"),
        }
    }

    /// The CRL that is published now, of the first partition where there are some; none before the
    /// first. It must be signed by its CA, and follow
    /// the one seen before: another number is a higher one, and a later thisUpdate.
    #[must_use]
    pub fn crl(&self, authority: Authority) -> Option<Arc<RevocationList>> {
        self.newest(authority, false)
    }

    /// The delta CRL that is published now beside that list, judged in the same way; none where there
    /// is none.
    #[must_use]
    pub fn delta(&self, authority: Authority) -> Option<Arc<RevocationList>> {
        self.newest(authority, true)
    }

    fn newest(&self, authority: Authority, delta: bool) -> Option<Arc<RevocationList>> {
        let series = CrlSeries {
            key: AuthorityKey::new(authority, 1),
            scope: self.crl.scopes().next().unwrap_or_default(),
        };
        let body = self.fetch(&format!("/crl/{}", crl_file_of(series, delta)))?;
        let seen = if delta { &self.deltas } else { &self.seen };
        if let Some(newest) = lock(seen).get(&authority).and_then(|lists| lists.last())
            && newest.der() == body
        {
            return Some(newest.clone());
        }
        let list = Arc::new(RevocationList::parse(&body).expect("a CRL"));
        assert_eq!(list.summary().base.is_some(), delta, "{authority}");
        self.judge(authority, &list, seen);
        Some(list)
    }

    /// What the responder says of a certificate, asked with a nonce or without one; none while it has
    /// no certificate that holds. The answer must be signed by whom the CA delegated to, now or, where
    /// no nonce was sent, within the time that it names.
    #[must_use]
    pub fn ocsp(
        &self,
        authority: Authority,
        serial: Serial,
        nonce: Option<&[u8]>,
    ) -> Option<Status> {
        let ca = self.authority(authority);
        let addresses = Addresses::at(&["http://localhost".to_owned()], authority, 1);
        let issuer = Issuer::try_new(authority, 1, ca, addresses).expect("a CA");
        let request = write_request(
            &IssuerId::of(&issuer),
            HashAlgorithm::Sha1,
            &[serial],
            nonce,
        );
        let path = format!("/ocsp/{authority}-1");
        let answer = post(self.port, &path, REQUEST_TYPE, &request).expect("an answer");
        let response = match BasicResponse::parse(&answer.body) {
            Ok(response) => response,
            Err(ResponseError::Refused(_)) => return None,
            Err(error) => panic!("{error}"),
        };
        assert!(response.is_from(&issuer), "{authority}: {response:?}");
        assert_eq!(response.nonce(), nonce);
        let entry = &response.entries()[0];
        assert_eq!(entry.serial, Some(serial));
        Some(entry.status)
    }

    /// Every complete CRL of a CA that was seen, the oldest first.
    #[must_use]
    pub fn history(&self, authority: Authority) -> Vec<Arc<RevocationList>> {
        lock(&self.seen)
            .get(&authority)
            .cloned()
            .unwrap_or_default()
    }

    fn judge(&self, authority: Authority, list: &Arc<RevocationList>, seen: &Seen) {
        let ca = Certificate::parse(self.authority(authority)).expect("a certificate");
        let key = ca.public_key().expect("a key");
        assert!(list.is_signed_by(key), "the {authority} CA did not sign it");
        let next = list.summary();
        let mut seen = lock(seen);
        let lists = seen.entry(authority).or_default();
        if let Some(before) = lists.last().map(|list| list.summary()) {
            assert!(
                before.number < next.number && before.this_update < next.this_update,
                "{authority}: {next:?} follows {before:?}"
            );
        }
        lists.push(list.clone());
    }
}

fn lock(seen: &Seen) -> MutexGuard<'_, BTreeMap<Authority, Vec<Arc<RevocationList>>>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}
