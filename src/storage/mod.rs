//! What outlives a run: keys, DCs, peers and update state, in SQLite.
