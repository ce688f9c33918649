//! What was acknowledged must exist: each certificate is read, compared and looked up.

use std::{collections::HashSet, hash::BuildHasher, path::Path};

use lgpki_proto::v1::{
    self, CertificateState, certificate_service_client::CertificateServiceClient,
};
use lgpki_x509::{Certificate, key::sha256};
use tonic::transport::Channel;

use crate::{Failure, load::Delivered, office, scene::Branch};

/// Checks that every order of a branch has one certificate, signed by the CA, with the order's
/// subject and key, under a serial number that nobody else has.
pub fn certificates<S: BuildHasher>(
    ca: &Path,
    branch: &Branch,
    delivered: &[Delivered],
    serials: &mut HashSet<String, S>,
) -> Result<(), Failure> {
    let file = ca.join("ca/organization.pem");
    let ca = office::certificates(&file)?;
    let ca = Certificate::parse(ca.first().ok_or("the CA has no certificate")?)?;
    let ca_key = ca.public_key().ok_or("the CA's key cannot be read")?;
    let mut answered = HashSet::new();
    for one in delivered {
        let order = branch
            .orders
            .get(one.order)
            .ok_or("a certificate without an order")?;
        let certificate = Certificate::parse(&one.certificate)?;
        let serial = certificate.serial().map(|s| s.to_string());
        let right = certificate.is_signed_by(ca_key)
            && certificate.subject().as_ref() == Some(&order.subject)
            && certificate.key_digest() == sha256(&order.public_key)
            && serial.as_ref() == Some(&one.serial);
        if !right {
            return Err(
                format!("the certificate of {} is not what was applied for", one.id).into(),
            );
        }
        if !answered.insert(one.order) || !serials.insert(one.serial.clone()) {
            return Err(format!("{} has a second certificate or serial number", one.id).into());
        }
    }
    if answered.len() == branch.orders.len() {
        return Ok(());
    }
    let (have, want) = (answered.len(), branch.orders.len());
    Err(format!("branch {} holds {have} of {want} certificates", branch.code).into())
}

/// Checks that the inventory has every serial number of a branch, valid.
pub async fn inventory(channel: Channel, delivered: &[Delivered]) -> Result<(), Failure> {
    let mut client = CertificateServiceClient::new(channel);
    let mut valid = HashSet::new();
    let mut page_token = String::new();
    loop {
        let request = v1::ListCertificatesRequest {
            page_size: 1000,
            page_token,
            ..Default::default()
        };
        let page = client.list_certificates(request).await?.into_inner();
        let found = page.certificates.into_iter();
        valid.extend(
            found
                .filter(|c| c.state() == CertificateState::Valid)
                .map(|c| c.serial),
        );
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    match delivered.iter().find(|one| !valid.contains(&one.serial)) {
        None => Ok(()),
        Some(one) => Err(format!("the certificate of {} is not in the inventory", one.id).into()),
    }
}
