//! The TL language: schema tables, borrowed types, bytes to values and back. Knows nothing of MTProto sessions.
