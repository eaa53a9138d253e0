//! Drives an engine over a socket. Knows nothing of what the bytes mean.
