//! Bytes to domain and back: CSRs, certificates, CRLs, OCSP.
//!
//! Certificates and CRLs are written by a small encoder of our own, read back by `x509-cert` in the
//! lint before they are signed, and by `x509-certificate` wherever an independent reader is wanted.
//! Signatures are ring's to verify and the `keys` crate's to make; no private key comes here.
//! Foreign bytes are read strictly: what is BER but not DER is refused.

pub mod attribute;
pub mod authority;
pub mod certificate;
pub mod crl;
pub mod cross;
pub mod csr;
mod decode;
mod encode;
pub mod error;
mod extension;
#[cfg(test)]
mod fixture;
#[cfg(test)]
mod interop;
pub mod issuer;
pub mod key;
pub mod link;
pub mod lint;
mod name;
pub mod ocsp;
mod oid;
pub mod particulars;
pub mod pem;
mod profile;
pub mod reader;
pub mod request;
pub mod service;
pub mod signed;
pub mod tbs;
mod time;

pub use attribute::Attribute;
pub use certificate::Certificate;
pub use csr::CertificationRequest;
pub use error::X509Error;
pub use issuer::{Addresses, Issuer};
pub use key::{KeyId, SubjectPublicKey};
pub use lint::{LintFinding, LintRefused, Linted, LintedCrl};
pub use particulars::{Particulars, Requested};
pub use tbs::Blueprint;
