//! Telegram's own data centers: where to begin. help.getConfig tells the rest. <https://core.telegram.org/api/datacenter>

use super::Dc;

/// Where an account begins that has none yet.
pub(super) const FIRST_DC: i32 = 2;

const PORT: u16 = 443;

/// Each DC with its addresses of IPv4 and IPv6.
type Known = (i32, [u8; 4], [u16; 8]);

pub(super) fn dcs() -> Vec<Dc> {
    listed(&[
        (1, [149, 154, 175, 53], [0x2001, 0xb28, 0xf23d, 0xf001, 0, 0, 0, 0xa]),
        (2, [149, 154, 167, 51], [0x2001, 0x67c, 0x4e8, 0xf002, 0, 0, 0, 0xa]),
        (3, [149, 154, 175, 100], [0x2001, 0xb28, 0xf23d, 0xf003, 0, 0, 0, 0xa]),
        (4, [149, 154, 167, 91], [0x2001, 0x67c, 0x4e8, 0xf004, 0, 0, 0, 0xa]),
        (5, [91, 108, 56, 130], [0x2001, 0xb28, 0xf23f, 0xf005, 0, 0, 0, 0xa]),
    ])
}

pub(super) fn test_dcs() -> Vec<Dc> {
    listed(&[
        (1, [149, 154, 175, 10], [0x2001, 0xb28, 0xf23d, 0xf001, 0, 0, 0, 0xe]),
        (2, [149, 154, 167, 40], [0x2001, 0x67c, 0x4e8, 0xf002, 0, 0, 0, 0xe]),
        (3, [149, 154, 175, 117], [0x2001, 0xb28, 0xf23d, 0xf003, 0, 0, 0, 0xe]),
    ])
}

fn listed(known: &[Known]) -> Vec<Dc> {
    let both = |(id, v4, v6): &Known| [(*v4, PORT).into(), (*v6, PORT).into()].map(|address| Dc { id: *id, address });
    known.iter().flat_map(both).collect()
}
