//! Looks up the certificates of a list, several at a time, and no others: a short list costs little
//! however large the inventory is.

use std::collections::BTreeSet;

use indicatif::ProgressBar;
use lgpki_proto::v1::{
    GetCertificateRequest, GetCertificateResponse,
    certificate_service_client::CertificateServiceClient,
};
use tokio::task::JoinSet;
use tonic::{Code, Response, Status};

use super::selection::Selection;
use crate::{error::CommandError, office::Office};

/// Questions under way at the same time.
const AT_ONCE: usize = 32;

type Answer = (String, Result<Response<GetCertificateResponse>, Status>);

/// The listed certificates, and the serial numbers of which there is none.
pub(super) async fn look_up(
    office: &Office,
    serials: BTreeSet<String>,
    bar: &ProgressBar,
) -> Result<(Selection, BTreeSet<String>), CommandError> {
    let (mut selection, mut missing) = (Selection::default(), BTreeSet::new());
    let mut asked: JoinSet<Answer> = JoinSet::new();
    let mut rest = serials.into_iter();
    loop {
        while asked.len() < AT_ONCE
            && let Some(serial) = rest.next()
        {
            let mut client = CertificateServiceClient::new(office.channel());
            asked.spawn(async move {
                let request = GetCertificateRequest {
                    serial: serial.clone(),
                };
                (serial, client.get_certificate(request).await)
            });
        }
        let Some(answered) = asked.join_next().await else {
            return Ok((selection, missing));
        };
        let (serial, answer) = answered
            .map_err(|lost| CommandError::new(format!("a question was not answered: {lost}")))?;
        match answer.map(|answer| answer.into_inner().certificate) {
            Ok(Some(certificate)) => selection.add(certificate, office.serial(), true),
            Ok(None) => {
                missing.insert(serial);
            }
            Err(status) if status.code() == Code::NotFound => {
                missing.insert(serial);
            }
            Err(status) => return Err(status.into()),
        }
        bar.inc(1);
    }
}
