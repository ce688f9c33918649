//! Bytes to domain and back: CSR, profiles, certificates, CRLs, lint.
