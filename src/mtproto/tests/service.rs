//! Service messages by hand: their ids and bytes as the documentation has them, and as nobody should write them.
//!
//! <https://core.telegram.org/schema/mtproto>

use bytes::Buf;

/// Bytes that are not what their constructor says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecodeError(pub &'static str);

pub const VECTOR: u32 = 0x1cb5_c415;

pub const MSG_CONTAINER: u32 = 0x73f1_f8dc;
pub const MSG_COPY: u32 = 0xe060_46b2;
pub const GZIP_PACKED: u32 = 0x3072_cfa1;
pub const MSGS_ACK: u32 = 0x62d6_b459;
pub const BAD_MSG_NOTIFICATION: u32 = 0xa7ef_f811;
pub const BAD_SERVER_SALT: u32 = 0xedab_447b;
pub const MSGS_STATE_REQ: u32 = 0xda69_fb52;
pub const MSGS_STATE_INFO: u32 = 0x04de_b57d;
pub const MSGS_ALL_INFO: u32 = 0x8cc0_d131;
pub const MSG_DETAILED_INFO: u32 = 0x276d_3ec6;
pub const MSG_NEW_DETAILED_INFO: u32 = 0x809d_b6df;
pub const MSG_RESEND_REQ: u32 = 0x7d86_1a08;
pub const MSG_RESEND_ANS_REQ: u32 = 0x8610_baeb;
pub const RPC_RESULT: u32 = 0xf35c_6d01;
pub const RPC_ERROR: u32 = 0x2144_ca19;
pub const RPC_DROP_ANSWER: u32 = 0x58e4_a740;
pub const RPC_ANSWER_UNKNOWN: u32 = 0x5e2a_d36e;
pub const RPC_ANSWER_DROPPED_RUNNING: u32 = 0xcd78_e586;
pub const RPC_ANSWER_DROPPED: u32 = 0xa43a_d8b7;
pub const GET_FUTURE_SALTS: u32 = 0xb921_bd04;
pub const FUTURE_SALTS: u32 = 0xae50_0895;
pub const PING: u32 = 0x7abe_77ec;
pub const PING_DELAY_DISCONNECT: u32 = 0xf342_7b8c;
pub const PONG: u32 = 0x3477_73c5;
pub const NEW_SESSION_CREATED: u32 = 0x9ec2_0908;
pub const DESTROY_SESSION: u32 = 0xe751_2126;
pub const DESTROY_SESSION_OK: u32 = 0xe220_45fc;
pub const DESTROY_SESSION_NONE: u32 = 0x62d3_50c9;
pub const DESTROY_AUTH_KEY: u32 = 0xd143_5160;
pub const DESTROY_AUTH_KEY_OK: u32 = 0xf660_e1d4;
pub const DESTROY_AUTH_KEY_NONE: u32 = 0x0a9f_2259;
pub const DESTROY_AUTH_KEY_FAIL: u32 = 0xea10_9b13;
pub const HTTP_WAIT: u32 = 0x9299_359f;

/// The most ids that one service message names.
/// <https://core.telegram.org/mtproto/service_messages_about_messages>
pub const MAX_IDS: usize = 8192;

/// Reads the fields of the service message `name`, whose constructor id has been read already.
pub struct Fields<'a> {
    name: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of a whole boxed object.
    pub fn of(name: &'static str, body: &'a [u8]) -> Fields<'a> {
        Fields { name, rest: body.get(4..).unwrap_or_default() }
    }

    pub fn int(&mut self) -> Result<i32, DecodeError> {
        self.need(4)?;
        Ok(self.rest.get_i32_le())
    }

    pub fn long(&mut self) -> Result<i64, DecodeError> {
        self.need(8)?;
        Ok(self.rest.get_i64_le())
    }

    /// `Vector<long>`, at most [`MAX_IDS`] of them.
    pub fn longs(&mut self) -> Result<impl ExactSizeIterator<Item = i64> + 'a, DecodeError> {
        self.need(8)?;
        let vector = self.rest.get_u32_le();
        let count = self.rest.get_u32_le() as usize;
        if vector != VECTOR || count > MAX_IDS {
            return Err(DecodeError(self.name));
        }
        self.need(count * 8)?;
        let (longs, rest) = self.rest.split_at(count * 8);
        self.rest = rest;
        let (longs, _) = longs.as_chunks::<8>();
        Ok(longs.iter().map(|long| i64::from_le_bytes(*long)))
    }

    fn need(&self, bytes: usize) -> Result<(), DecodeError> {
        if self.rest.len() < bytes { Err(DecodeError(self.name)) } else { Ok(()) }
    }
}

/// Writes a boxed service message.
pub struct Writer(Vec<u8>);

impl Writer {
    pub fn new(constructor: u32) -> Writer {
        let mut out = Vec::with_capacity(32);
        out.extend_from_slice(&constructor.to_le_bytes());
        Writer(out)
    }

    pub fn int(mut self, int: i32) -> Writer {
        self.0.extend_from_slice(&int.to_le_bytes());
        self
    }

    pub fn long(mut self, long: i64) -> Writer {
        self.0.extend_from_slice(&long.to_le_bytes());
        self
    }

    pub fn longs(self, longs: &[i64]) -> Writer {
        debug_assert!(longs.len() <= MAX_IDS);
        let mut out = self.int(VECTOR as i32).int(longs.len() as i32);
        longs.iter().for_each(|long| out.0.extend_from_slice(&long.to_le_bytes()));
        out
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Writer {
        let length = (bytes.len() as u32).to_le_bytes();
        match bytes.len() {
            0..254 => self.0.push(length[0]),
            _ => self.0.extend_from_slice(&[254, length[0], length[1], length[2]]),
        }
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub fn done(self) -> bytes::Bytes {
        self.0.into()
    }
}
