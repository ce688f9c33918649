//! Whole-system tests over real sockets and processes.
