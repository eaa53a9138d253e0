//! Where a definition stands in the two open-addressed tables. `build.rs` fills them, the schema reads them.

/// Slots in each table; the definitions fill under a third of them.
pub const SLOTS: usize = 8192;

/// Ids are CRC32 sums, so their low bits are already evenly spread.
#[inline]
pub const fn id_slot(id: u32) -> usize {
    (id as usize ^ (id >> 16) as usize) % SLOTS
}

/// FNV-1a.
pub const fn name_slot(name: &str) -> usize {
    let name = name.as_bytes();
    let mut hash: u32 = 0x811c_9dc5;
    let mut at = 0;
    while at < name.len() {
        hash = (hash ^ name[at] as u32).wrapping_mul(0x0100_0193);
        at += 1;
    }
    (hash ^ hash >> 15) as usize % SLOTS
}
