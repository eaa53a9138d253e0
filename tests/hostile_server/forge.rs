//! Packets by hand: encrypted as they should be, but for what they are made to get wrong.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use moongram::crypto::{AuthKey, ige_encrypt, sha256};
use moongram::tl::VECTOR;

pub const MSG_CONTAINER: u32 = 0x73f1_f8dc;
pub const MSG_COPY: u32 = 0xe060_46b2;
pub const GZIP_PACKED: u32 = 0x3072_cfa1;
pub const RPC_RESULT: u32 = 0xf35c_6d01;
pub const MSGS_ACK: u32 = 0x62d6_b459;
pub const BAD_MSG_NOTIFICATION: u32 = 0xa7ef_f811;
pub const BAD_SERVER_SALT: u32 = 0xedab_447b;
pub const NEW_SESSION_CREATED: u32 = 0x9ec2_0908;
pub const FUTURE_SALTS: u32 = 0xae50_0895;
pub const PING: u32 = 0x7abe_77ec;
pub const PONG: u32 = 0x3477_73c5;
pub const MSGS_STATE_REQ: u32 = 0xda69_fb52;
pub const MSGS_STATE_INFO: u32 = 0x04de_b57d;
pub const MSG_DETAILED_INFO: u32 = 0x276d_3ec6;
pub const MSG_RESEND_REQ: u32 = 0x7d86_1a08;
pub const DESTROY_AUTH_KEY_FAIL: u32 = 0xea10_9b13;

/// What the server knows that a forger must know as well.
#[derive(Clone)]
pub struct Forger {
    pub key: AuthKey,
    pub salt: i64,
    pub session: i64,
}

/// One message; as it is made, all about it is right.
#[derive(Clone)]
pub struct Forged {
    pub salt: i64,
    pub session: i64,
    pub id: i64,
    pub seqno: i32,
    pub body: Vec<u8>,
    /// What the length field says, if not the truth.
    pub length: Option<u32>,
    /// How much padding there is, if not the least.
    pub padding: Option<usize>,
}

/// Ids that no two messages of this process share.
static NEXT: AtomicI64 = AtomicI64::new(0);

/// A server's message id, made this many seconds from now, with these two lower bits.
pub fn id(seconds: i64, bits: i64) -> i64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    (now + seconds) << 32 | NEXT.fetch_add(4, Ordering::Relaxed) & 0xffff_fffc | bits
}

impl Forger {
    pub fn message(&self, body: impl AsRef<[u8]>) -> Forged {
        let body = body.as_ref().to_vec();
        Forged { salt: self.salt, session: self.session, id: id(0, 3), seqno: 1, body, length: None, padding: None }
    }

    /// <https://core.telegram.org/mtproto/description#encrypted-message-encrypted-data>
    pub fn seal(&self, message: &Forged) -> Vec<u8> {
        let mut data = Vec::new();
        data.extend_from_slice(&message.salt.to_le_bytes());
        data.extend_from_slice(&message.session.to_le_bytes());
        data.extend_from_slice(&message.inner());
        let padding = message.padding.unwrap_or(12 + (16 - (data.len() + 12) % 16) % 16);
        data.resize(data.len() + padding, 0xda);
        let key = self.key.as_bytes();
        let large = sha256(&[&key[96..128], &data]);
        let msg_key = &large[8..24];
        let a = sha256(&[msg_key, &key[8..44]]);
        let b = sha256(&[&key[48..84], msg_key]);
        let mixed = |one: &[u8; 32], other: &[u8; 32]| -> [u8; 32] {
            std::array::from_fn(|i| if (8..24).contains(&i) { other[i] } else { one[i] })
        };
        ige_encrypt(&mixed(&a, &b), &mixed(&b, &a), &mut data);
        [&self.key.id_bytes(), msg_key, &data].concat()
    }
}

impl Forged {
    /// As it stands in a packet after the session id, and in a container.
    pub fn inner(&self) -> Vec<u8> {
        let length = self.length.unwrap_or(self.body.len() as u32);
        [&self.id.to_le_bytes()[..], &self.seqno.to_le_bytes(), &length.to_le_bytes(), &self.body].concat()
    }
}

/// A container that says it has so many messages.
pub fn container(count: u32, messages: &[Forged]) -> Vec<u8> {
    let messages: Vec<u8> = messages.iter().flat_map(Forged::inner).collect();
    Words::of(MSG_CONTAINER).int(count as i32).raw(&messages).0
}

pub fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).expect("memory takes it");
    encoder.finish().expect("memory takes it")
}

pub fn packed(body: &[u8]) -> Vec<u8> {
    Words::of(GZIP_PACKED).bytes(body).0
}

/// A boxed object, field by field.
pub struct Words(pub Vec<u8>);

impl Words {
    pub fn of(constructor: u32) -> Words {
        Words(constructor.to_le_bytes().to_vec())
    }

    pub fn int(self, int: i32) -> Words {
        self.raw(&int.to_le_bytes())
    }

    pub fn long(self, long: i64) -> Words {
        self.raw(&long.to_le_bytes())
    }

    pub fn longs(self, longs: &[i64]) -> Words {
        let head = self.int(VECTOR as i32).int(longs.len() as i32);
        longs.iter().fold(head, |words, long| words.long(*long))
    }

    pub fn raw(mut self, bytes: &[u8]) -> Words {
        self.0.extend_from_slice(bytes);
        self
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Words {
        let length = (bytes.len() as u32).to_le_bytes();
        match bytes.len() {
            0..254 => self.0.push(length[0]),
            _ => self.0.extend_from_slice(&[254, length[0], length[1], length[2]]),
        }
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }
}
