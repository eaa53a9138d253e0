//! One account: sign in, call, receive in order.
