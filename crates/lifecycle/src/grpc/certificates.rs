//! CertificateService: what exists and in which state.

use lgpki_domain::{BodyCode, CertificateKind, Faults, JstDate, Serial, Timestamp};
use lgpki_proto::{
    convert::{FIELD_MALFORMED, FIELD_UNKNOWN_VALUE, all_of, optional_text, required_text},
    v1::{self, certificate_service_server::CertificateService},
};
use lgpki_runtime::rpc::Rpc;
use tonic::{Request, Response, Status};

use super::{Handlers, encode};
use crate::ports::{CertificateState, Cursor, Filter, LifecycleStore};

#[tonic::async_trait]
impl<S: LifecycleStore> CertificateService for Handlers<S> {
    async fn get_certificate(
        &self,
        request: Request<v1::GetCertificateRequest>,
    ) -> Result<Response<v1::GetCertificateResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let mut faults = Faults::new();
        let serial = required_text::<Serial>(&mut faults, "serial", &request.get_ref().serial);
        let serial = serial.ok_or_else(|| rpc.refuse(faults))?;
        let found = self
            .app
            .certificate(serial)
            .await
            .map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::GetCertificateResponse {
            certificate: Some(encode::certificate(found, self.app.clock.now())),
        }))
    }

    async fn list_certificates(
        &self,
        request: Request<v1::ListCertificatesRequest>,
    ) -> Result<Response<v1::ListCertificatesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let now = self.app.clock.now();
        let asked = request.get_ref();
        let (filter, after) = read_filter(asked, now).map_err(|faults| rpc.refuse(faults))?;
        let page = self.app.page(filter, after, asked.page_size).await;
        let (found, next) = page.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::ListCertificatesResponse {
            certificates: found
                .into_iter()
                .map(|certificate| encode::certificate(certificate, now))
                .collect(),
            next_page_token: next.map_or_else(String::new, write_token),
        }))
    }

    async fn list_authorities(
        &self,
        request: Request<v1::ListAuthoritiesRequest>,
    ) -> Result<Response<v1::ListAuthoritiesResponse>, Status> {
        let rpc = Rpc::of(&request)?;
        let found = self.app.authorities().await.map_err(|e| rpc.refuse(e))?;
        Ok(Response::new(v1::ListAuthoritiesResponse {
            authorities: found
                .iter()
                .map(|(info, newest)| encode::authority(info, newest.as_ref()))
                .collect(),
        }))
    }
}

fn read_filter(
    asked: &v1::ListCertificatesRequest,
    now: Timestamp,
) -> Result<(Filter, Option<Cursor>), Faults> {
    let mut faults = Faults::new();
    let f = &mut faults;
    let branch = optional_text::<BodyCode>(f, "branch", &asked.branch);
    let kinds = all_of::<CertificateKind>(f, "kinds", &asked.kinds);
    let state = read_state(f, asked.state);
    let from = optional_text::<JstDate>(f, "expires_from", &asked.expires_from);
    let to = optional_text::<JstDate>(f, "expires_to", &asked.expires_to);
    let after = read_token(f, &asked.page_token);
    let filter = Filter {
        branch,
        kinds,
        state: state.map(|state| (state, now)),
        expires_from: from.map(JstDate::start),
        // Validity ends with the last second of a day.
        expires_to: to.map(JstDate::last_second),
    };
    faults.into_result().map(|()| (filter, after))
}

fn read_state(faults: &mut Faults, number: i32) -> Option<CertificateState> {
    match v1::CertificateState::try_from(number) {
        Ok(v1::CertificateState::Unspecified) => None,
        Ok(v1::CertificateState::Valid) => Some(CertificateState::Valid),
        Ok(v1::CertificateState::Revoked) => Some(CertificateState::Revoked),
        Ok(v1::CertificateState::Expired) => Some(CertificateState::Expired),
        Ok(v1::CertificateState::Renewing) => Some(CertificateState::Renewing),
        Err(_) => {
            let message = format!("{number} is no state of a certificate");
            faults.push("state", FIELD_UNKNOWN_VALUE, message);
            None
        }
    }
}

/// Where the next page begins: notAfter in seconds and the serial number.
fn write_token(cursor: Cursor) -> String {
    format!("{}.{}", cursor.not_after.as_seconds(), cursor.serial)
}

fn read_token(faults: &mut Faults, token: &str) -> Option<Cursor> {
    if token.is_empty() {
        return None;
    }
    let cursor = token.split_once('.').and_then(|(seconds, serial)| {
        Some(Cursor {
            not_after: Timestamp::from_seconds(seconds.parse().ok()?),
            serial: serial.parse().ok()?,
        })
    });
    if cursor.is_none() {
        let message = "this is no page token of ours; give back the one of the page before";
        faults.push("page_token", FIELD_MALFORMED, message);
    }
    cursor
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_token_reads_back_and_a_foreign_one_is_refused() {
        let cursor = Cursor {
            not_after: "2011-02-03T23:59:59+09:00".parse().unwrap(),
            serial: Serial::from_bytes(&[0x41; 16]).unwrap(),
        };
        let mut faults = Faults::new();
        assert_eq!(read_token(&mut faults, &write_token(cursor)), Some(cursor));
        assert!(faults.is_empty());
        let far = format!("{}.{}", i64::MAX, cursor.serial);
        assert!(read_token(&mut faults, &far).is_some());
        for token in ["x", "1.2", ".", "99999999999999999999.4141"] {
            let mut faults = Faults::new();
            assert_eq!(read_token(&mut faults, token), None);
            assert!(!faults.is_empty(), "{token}");
        }
    }
}
