//! The issuer service: holds the CA keys and signs nothing unrecorded.
