//! The service messages' ids and layouts. <https://core.telegram.org/schema/mtproto>
//!
//! They are few, fixed and never change with the layer, and a message costs no more than reading its fields.

use bytes::Buf;

/// Bytes that are not what their constructor says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} is cut short or has a count that cannot be")]
pub struct DecodeError(pub &'static str);

pub(super) const VECTOR: u32 = 0x1cb5_c415;

pub(super) const MSG_CONTAINER: u32 = 0x73f1_f8dc;
pub(super) const MSG_COPY: u32 = 0xe060_46b2;
pub(super) const GZIP_PACKED: u32 = 0x3072_cfa1;
pub(super) const MSGS_ACK: u32 = 0x62d6_b459;
pub(super) const BAD_MSG_NOTIFICATION: u32 = 0xa7ef_f811;
pub(super) const BAD_SERVER_SALT: u32 = 0xedab_447b;
pub(super) const MSGS_STATE_REQ: u32 = 0xda69_fb52;
pub(super) const MSGS_STATE_INFO: u32 = 0x04de_b57d;
pub(super) const MSGS_ALL_INFO: u32 = 0x8cc0_d131;
pub(super) const MSG_DETAILED_INFO: u32 = 0x276d_3ec6;
pub(super) const MSG_NEW_DETAILED_INFO: u32 = 0x809d_b6df;
pub(super) const MSG_RESEND_REQ: u32 = 0x7d86_1a08;
pub(super) const MSG_RESEND_ANS_REQ: u32 = 0x8610_baeb;
pub(super) const RPC_RESULT: u32 = 0xf35c_6d01;
pub(super) const RPC_ERROR: u32 = 0x2144_ca19;
pub(super) const RPC_DROP_ANSWER: u32 = 0x58e4_a740;
pub(super) const RPC_ANSWER_UNKNOWN: u32 = 0x5e2a_d36e;
pub(super) const RPC_ANSWER_DROPPED_RUNNING: u32 = 0xcd78_e586;
pub(super) const RPC_ANSWER_DROPPED: u32 = 0xa43a_d8b7;
pub(super) const GET_FUTURE_SALTS: u32 = 0xb921_bd04;
pub(super) const FUTURE_SALTS: u32 = 0xae50_0895;
pub(super) const PING: u32 = 0x7abe_77ec;
pub(super) const PING_DELAY_DISCONNECT: u32 = 0xf342_7b8c;
pub(super) const PONG: u32 = 0x3477_73c5;
pub(super) const NEW_SESSION_CREATED: u32 = 0x9ec2_0908;
pub(super) const DESTROY_SESSION: u32 = 0xe751_2126;
pub(super) const DESTROY_SESSION_OK: u32 = 0xe220_45fc;
pub(super) const DESTROY_SESSION_NONE: u32 = 0x62d3_50c9;
pub(super) const DESTROY_AUTH_KEY: u32 = 0xd143_5160;
pub(super) const DESTROY_AUTH_KEY_OK: u32 = 0xf660_e1d4;
pub(super) const DESTROY_AUTH_KEY_NONE: u32 = 0x0a9f_2259;
pub(super) const DESTROY_AUTH_KEY_FAIL: u32 = 0xea10_9b13;
pub(super) const HTTP_WAIT: u32 = 0x9299_359f;

/// The most ids that one service message names.
/// <https://core.telegram.org/mtproto/service_messages_about_messages>
pub(super) const MAX_IDS: usize = 8192;

/// Reads the fields of the service message `name`, whose constructor id has been read already.
pub(super) struct Fields<'a> {
    name: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    /// Of a whole boxed object.
    pub fn of(name: &'static str, body: &'a [u8]) -> Fields<'a> {
        Fields {
            name,
            rest: body.get(4..).unwrap_or_default(),
        }
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

    /// `bytes` or `string`. <https://core.telegram.org/mtproto/serialize#base-types>
    pub fn bytes(&mut self) -> Result<&'a [u8], DecodeError> {
        self.need(4)?;
        let [short, a, b, c] = [self.rest[0], self.rest[1], self.rest[2], self.rest[3]];
        let (header, length) = match short {
            0..254 => (1, usize::from(short)),
            _ => (4, u32::from_le_bytes([a, b, c, 0]) as usize),
        };
        let whole = (header + length).next_multiple_of(4);
        self.need(whole)?;
        let bytes = &self.rest[header..header + length];
        self.rest.advance(whole);
        Ok(bytes)
    }

    fn need(&self, bytes: usize) -> Result<(), DecodeError> {
        if self.rest.len() < bytes {
            Err(DecodeError(self.name))
        } else {
            Ok(())
        }
    }
}

/// Writes a boxed service message.
pub(super) struct Writer(Vec<u8>);

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
        longs
            .iter()
            .for_each(|long| out.0.extend_from_slice(&long.to_le_bytes()));
        out
    }

    pub fn bytes(mut self, bytes: &[u8]) -> Writer {
        let length = (bytes.len() as u32).to_le_bytes();
        match bytes.len() {
            0..254 => self.0.push(length[0]),
            _ => self
                .0
                .extend_from_slice(&[254, length[0], length[1], length[2]]),
        }
        self.0.extend_from_slice(bytes);
        self.0.resize(self.0.len().next_multiple_of(4), 0);
        self
    }

    pub fn done(self) -> bytes::Bytes {
        self.0.into()
    }
}
