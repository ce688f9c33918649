//! Renewals that no CA would carry out any more, found before a key is destroyed for them.

use lgpki_domain::{
    Authority, Faults, JstDate,
    authority::{IssuingKey, issuing_ended},
};
use lgpki_proto::{
    convert,
    v1::{self, certificate_service_client::CertificateServiceClient},
};
use lgpki_x509::certificate::Certificate;

use super::Renewal;
use crate::{
    error::CommandError,
    office::{self, Office},
};

/// Leaves out of what is due the certificates whose CA issues no more today, and says so of each.
pub(super) async fn part(
    office: &Office,
    due: Vec<Renewal>,
) -> Result<(Vec<Renewal>, Vec<String>), CommandError> {
    let mut client = CertificateServiceClient::new(office.channel());
    let answer = client
        .list_authorities(v1::ListAuthoritiesRequest {})
        .await?;
    let keys = keys(&answer.into_inner().authorities);
    Ok(without_ended(due, &keys, office::today()))
}

/// The keys that issue, or will. One that cannot be read is left to the server's judgement.
fn keys(told: &[v1::AuthorityInfo]) -> Vec<IssuingKey> {
    let linked = told.iter().filter(|info| !info.unlinked);
    let key = |info: &v1::AuthorityInfo| {
        Some(IssuingKey {
            authority: authority(info.authority)?,
            generation: info.key_generation,
            validity: Certificate::parse(&info.certificate).ok()?.validity()?,
        })
    };
    linked.filter_map(key).collect()
}

fn authority(wire: i32) -> Option<Authority> {
    convert::required(&mut Faults::new(), "authority", wire)
}

fn without_ended(
    due: Vec<Renewal>,
    keys: &[IssuingKey],
    today: JstDate,
) -> (Vec<Renewal>, Vec<String>) {
    let mut remarks = Vec::new();
    let mut left = due;
    left.retain(|renewal| {
        let of = authority(renewal.certificate.authority);
        let Some((of, last)) = of.and_then(|of| Some((of, issuing_ended(keys, of, today)?))) else {
            return true;
        };
        remarks.push(format!(
            "not now: {} ({}, until {}); the {of} CA issued until {last}, since its key is about to expire; keep \
             the medium as it is, and ask the operator when the CA has its next key [CA_EXPIRES_FIRST]",
            renewal.certificate.serial,
            renewal.kind(),
            renewal.last_day
        ));
        false
    });
    (left, remarks)
}

#[cfg(test)]
mod tests {
    use lgpki_domain::Validity;
    use lgpki_proto::convert::wire;

    use super::*;

    #[test]
    fn what_no_ca_would_issue_is_left_out_before_its_key_is_destroyed() {
        let today: JstDate = "2015-02-05".parse().unwrap();
        let due = |of: Authority| {
            let certificate = v1::Certificate {
                serial: of.to_string(),
                authority: wire(of),
                not_after: "2015-05-03T23:59:59.000+09:00".to_owned(),
                state: v1::CertificateState::Valid.into(),
                ..v1::Certificate::default()
            };
            Renewal::of(certificate, today).unwrap()
        };
        let key = |authority, generation, first: &str| IssuingKey {
            authority,
            generation,
            validity: Validity::for_ca(first.parse().unwrap()),
        };
        let mut keys = vec![
            key(Authority::Organization, 1, "2008-02-04"),
            key(Authority::Application, 1, "2009-02-04"),
        ];
        let both = || Authority::ALL.map(due).to_vec();
        let (left, remarks) = without_ended(both(), &keys, today);
        assert_eq!(left.len(), 1);
        assert_eq!(left[0].certificate.serial, "application");
        assert!(
            remarks.len() == 1 && remarks[0].contains("2015-02-04"),
            "{remarks:?}"
        );
        keys.push(key(Authority::Organization, 2, "2015-02-05"));
        let (left, remarks) = without_ended(both(), &keys, today);
        assert_eq!((left.len(), remarks.len()), (2, 0));
        // What is not known is the server's to judge.
        assert_eq!(without_ended(both(), &[], today).0.len(), 2);
    }
}
