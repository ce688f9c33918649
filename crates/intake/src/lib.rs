//! The intake service: admits, examines, queues and hands out.
