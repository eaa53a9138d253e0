//! Which addresses are the public internet's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The blocks of IANA's registries of special-purpose addresses that are not globally reachable, or of which that cannot be
/// said, and multicast. <https://www.iana.org/assignments/iana-ipv4-special-registry>
const SPECIAL_V4: &[([u8; 4], u8)] = &[
    ([0, 0, 0, 0], 8),
    ([10, 0, 0, 0], 8),
    ([100, 64, 0, 0], 10),
    ([127, 0, 0, 0], 8),
    ([169, 254, 0, 0], 16),
    ([172, 16, 0, 0], 12),
    ([192, 0, 0, 0], 24),
    ([192, 0, 2, 0], 24),
    ([192, 88, 99, 0], 24),
    ([192, 168, 0, 0], 16),
    ([198, 18, 0, 0], 15),
    ([198, 51, 100, 0], 24),
    ([203, 0, 113, 0], 24),
    ([224, 0, 0, 0], 4),
    ([240, 0, 0, 0], 4),
];

/// The same for IPv6, where all that is public lies in 2000::/3.
/// <https://www.iana.org/assignments/iana-ipv6-special-registry>
const SPECIAL_V6: &[([u16; 3], u8)] = &[
    // Protocol assignments, Teredo among them, whose addresses hide others.
    ([0x2001, 0, 0], 23),
    ([0x2001, 0xdb8, 0], 32),
    ([0x3fff, 0, 0], 20),
];

/// Whether anybody may be reached there: not this machine, not its network, nobody's in particular.
pub(super) fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let is_in = |(start, bits): &([u8; 4], u8)| {
        let mask = u32::MAX << (32 - bits);
        address.to_bits() & mask == u32::from_be_bytes(*start)
    };
    !SPECIAL_V4.iter().any(is_in)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let segments = address.segments();
    // Addresses that stand for one of IPv4: NAT64 and 6to4.
    let embedded = |high: u16, low: u16| Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low));
    match segments {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => return is_public_v4(embedded(high, low)),
        [0x2002, high, low, ..] => return is_public_v4(embedded(high, low)),
        _ => {}
    }
    let is_in = |(start, bits): &([u16; 3], u8)| {
        let first = |s: [u16; 3]| u64::from(s[0]) << 32 | u64::from(s[1]) << 16 | u64::from(s[2]);
        let mask = u64::MAX << (48 - bits);
        first([segments[0], segments[1], segments[2]]) & mask == first(*start)
    };
    segments[0] & 0xe000 == 0x2000 && !SPECIAL_V6.iter().any(is_in)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_internet_is_told_from_what_is_not() {
        fn check(expected: bool, addresses: &[&str]) {
            for address in addresses {
                assert_eq!(is_public(address.parse().unwrap()), expected, "{address}");
            }
        }
        check(true, &["1.1.1.1", "8.8.8.8", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"]);
        check(true, &["128.0.0.1", "126.255.255.255", "198.17.255.255", "198.20.0.0", "223.255.255.255", "11.0.0.0"]);
        check(true, &["2606:4700::1111", "2001:4860:4860::8888", "2a00::1", "64:ff9b::8.8.8.8", "2002:808:808::1"]);
        check(true, &["::ffff:8.8.8.8", "2001:200::1", "3ffe::1"]);
        check(false, &["0.0.0.0", "0.1.2.3", "10.0.0.1", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.9.9.9"]);
        check(false, &["169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.2.1", "192.168.1.1"]);
        check(false, &["198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.1.1.1"]);
        check(false, &["240.0.0.1", "255.255.255.255", "192.88.99.1"]);
        check(false, &["::", "::1", "::127.0.0.1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"]);
        check(false, &["fc00::1", "fd12::1", "fe80::1", "fec0::1", "ff02::1", "100::1", "2001:db8::1", "2001::1"]);
        check(false, &["64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1", "2002:7f00:1::1", "2002:a00:1::1"]);
        check(false, &["5f00::1", "3fff::1", "4000::1", "::ffff:0:127.0.0.1"]);
    }
}
