//! MTProto's cryptography: pure functions on bytes. Knows nothing of TL, sockets or clocks.
