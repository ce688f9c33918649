//! What lifecycle does by itself: follow the issuer's feed, publish CRLs when they are due.

pub(crate) mod follow;
pub(crate) mod plan;
pub(crate) mod publish;
