//! Test doubles and fixtures: manual clock, seeded randomness, failing disk.
