//! Storage plumbing the services share: single writer, group commit, index engines, openings.
