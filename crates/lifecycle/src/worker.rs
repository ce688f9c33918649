//! What lifecycle does by itself: follow the issuer's feed, publish CRLs when they are due,
//! have OCSP responders certified.

pub(crate) mod certify;
pub(crate) mod follow;
pub(crate) mod plan;
pub(crate) mod publish;
