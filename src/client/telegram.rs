//! Telegram's own data centers: where to begin. help.getConfig tells the rest. <https://core.telegram.org/api/datacenter>

use super::Dc;

/// Where an account begins that has none yet.
pub(super) const FIRST_DC: i32 = 2;

pub(super) fn dcs() -> Vec<Dc> {
    let addresses = [
        (1, [149, 154, 175, 53]),
        (2, [149, 154, 167, 51]),
        (3, [149, 154, 175, 100]),
        (4, [149, 154, 167, 91]),
        (5, [91, 108, 56, 130]),
    ];
    addresses.map(|(id, ip)| Dc { id, address: (ip, 443).into() }).to_vec()
}

pub(super) fn test_dcs() -> Vec<Dc> {
    let addresses = [(1, [149, 154, 175, 10]), (2, [149, 154, 167, 40]), (3, [149, 154, 175, 117])];
    addresses.map(|(id, ip)| Dc { id, address: (ip, 443).into() }).to_vec()
}
