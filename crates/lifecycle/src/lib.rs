//! The lifecycle service: inventory, revocation, CRL publication.
