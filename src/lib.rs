//! moongram: a host for Telegram scripts.
//!
//! One MTProto client holds the session of a bot or a user; an embedded Lua runtime loads the scripts of a folder;
//! scripts register handlers and call any RPC method; a saved script is live within milliseconds, and the connection
//! never notices.
//!
//! # Layers
//!
//! A layer imports only layers below it; `tests/layers.rs` reads the `use` lines and fails on an arrow upward.
//!
//! ```text
//!                cli
//!                 │
//!                host ───────────────┐
//!                 │                  │
//!                lua                 │
//!                 │                  │
//!               client           local_dc
//!              ╱  │  ╲           ╱   │
//!           text net storage    ╱    │
//!                 │   ╲        ╱     │
//!              mtproto ───────╯      │
//!               ╱   ╲                │
//!             tl    crypto ──────────╯
//! ```
//!
//! `client` and `local_dc` never import each other: they share `mtproto` and meet as bytes on a socket, which is what
//! makes a passing test mean something.
//!
//! | layer | purpose | begin reading at |
//! |---|---|---|
//! | [`crypto`] | MTProto's cryptography: pure functions on bytes | `crypto/message.rs` |
//! | [`tl`] | the TL language: tables, borrowed types, bytes to values and back; written by `build.rs` from `tl/` | `tl/mod.rs` |
//! | [`text`] | Markdown and HTML to text with entities | `text/mod.rs` |
//! | [`mtproto`] | the protocol as a value, both sides: exchange, session, engine, framing | `mtproto/engine.rs` |
//! | [`storage`] | what outlives a run, in SQLite | `storage/mod.rs` |
//! | [`net`] | drives an engine over a socket | `net/driver.rs` |
//! | [`client`] | one account: sign in, call, receive in order | `client/updates/sequencer.rs` |
//! | [`lua`] | the client as Lua: one script's state, its API, its limits | `lua/runtime.rs` |
//! | [`host`] | many scripts: find, start, watch, replace, stop | `host/supervisor.rs` |
//! | [`local_dc`] | a small Telegram on this machine | `local_dc/mod.rs` |
//! | [`cli`] | the command line | `cli/play.rs` |
//!
//! # The way of an update
//!
//! ```text
//! network thread                                                     the script's thread
//! socket ▶ net: framing ▶ Engine::handle_packet ▶ Event::Update
//!   ═▶ client::updates: sequencer (order, gaps, difference), peers noted
//!   ═bounded queue per script, Arc of one update▶                    lua::Inbox: lanes ▶ filters (Rust) ▶ handler coroutine
//!                                                                    ▶ delivered ▶ client::updates (the state may advance)
//! ```
//!
//! The saved state never runs ahead of what every script has delivered; after a crash the difference brings the rest again.
//!
//! # The way of a call
//!
//! A handler's coroutine yields; `lua::convert` makes the table TL; `client::Client::invoke` sleeps through flood waits and
//! sends what was cut off again where that is safe; the reply resumes the coroutine. Calls that are to be done in order take their
//! [`client::Turn`]s. A coroutine that goes away gives its call up, and the server hears of it at once.
//!
//! # The way of a save
//!
//! `host::watch` tells of a file once it is closed or renamed into place; the supervisor pauses the script's `Inbox`, loads the
//! new source in a new state on a new thread, and lets it take over between two updates. A version that does not load
//! leaves the one before it running.
//!
//! # What is promised, and where it is shown
//!
//! | promise | test |
//! |---|---|
//! | a saved script answers the next message, on the same connection | `tests/play.rs` |
//! | `kill -9` loses nothing and needs no new key | `tests/kill.rs` |
//! | the list of commands that Telegram shows follows the scripts | `tests/menu.rs` |
//! | what `store` returned from is on the disk, whatever is killed | `tests/store_kill.rs`, `storage/store/tests.rs` |
//! | no path of a script leads out of its data folder | `lua/data/tests.rs` |
//! | a script cannot hurt its neighbours | `tests/hostile.rs`, one file an attack; `benches/neighbours.rs` |
//! | nor its owner: login codes stay away from it | `lua/login_codes.rs`, `lua/convert/grants.rs` |
//! | the permanent key encrypts nothing; the next temporary key costs no call and no update | `tests/pfs.rs` |
//! | no packet makes more than a typed error | `mtproto/tests/`, `mtproto/exchange/tests/`, `tests/tl_mutations.rs`, `fuzz/` |
//! | a server that breaks MTProto's rules is refused, and left where it must be | `tests/hostile_server/` |
//! | no call is done twice, and each is answered, whatever the network does | `tests/faults.rs`, `tests/reconnect.rs` |
//! | clients that others wrote agree with the local DC, in their own layers | `tests/interop-telethon.sh`, `-kurigram.sh`, `-mtcute.sh` |
//! | what an older layer has otherwise is converted, field by field | `local_dc/layers/tests.rs` |
//! | layers and clocks are kept apart | `tests/layers.rs` |

// What the compiler cannot check stands where it is allowed by name, with its proof beside it: the fast path of the cryptography
// in one file, the bounded Lua library, which speaks with C, and the string that was checked to be UTF-8.
#![deny(unsafe_code)]

pub mod cli;
pub mod client;
pub mod crypto;
pub mod host;
pub mod local_dc;
pub mod lua;
pub mod mtproto;
pub mod net;
pub mod storage;
pub mod text;
pub mod tl;
