//! The protocol as a value, both sides: exchange, session, engine, framing. Bytes and time in, bytes and events out.
