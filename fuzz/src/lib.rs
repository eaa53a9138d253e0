//! What is fuzzed: the layers that read what a stranger sent, as the crate has them, compiled alone. Neither Lua nor SQLite nor
//! tokio is between the fuzzer and them, and a fresh clone has its targets in a minute.

// The targets name the crate as tests do, which replay them without a fuzzer: `tests/fuzz.rs`.
extern crate self as moongram;

#[path = "../../src/crypto/mod.rs"]
pub mod crypto;
#[path = "../../src/mtproto/mod.rs"]
pub mod mtproto;
pub mod targets;
#[path = "../../src/text/mod.rs"]
pub mod text;
#[path = "../../src/tl/mod.rs"]
pub mod tl;
