//! What lifecycle does by itself: follow the issuer's feed, publish CRLs when they are due,
//! publish CA certificates, have OCSP responders certified.

pub(crate) mod ca_certificates;
pub(crate) mod certify;
pub(crate) mod follow;
pub(crate) mod plan;
pub(crate) mod publish;
