//! The constructors that wrap others without saying of what type: MTProto's documentation wants them read by hand.
//!
//! <https://core.telegram.org/mtproto/service_messages>

use super::reader::{DecodeError, Reader};

/// `rpc_result#f35c6d01 req_msg_id:long result:Object = RpcResult;`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RpcResult<'a> {
    pub req_msg_id: i64,
    /// All that follows: a boxed value, `rpc_error`, `gzip_packed`.
    pub result: &'a [u8],
}

impl<'a> RpcResult<'a> {
    pub const ID: u32 = 0xf35c_6d01;

    /// Reads it bare, after the id, to the end of the bytes.
    pub fn read(r: &mut Reader<'a>) -> Result<RpcResult<'a>, DecodeError> {
        let req_msg_id = r.long()?;
        Ok(RpcResult { req_msg_id, result: r.take(r.rest().len())? })
    }

    /// Writes it boxed, with its id.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::ID.to_le_bytes());
        out.extend_from_slice(&self.req_msg_id.to_le_bytes());
        out.extend_from_slice(self.result);
    }
}

/// `message msg_id:long seqno:int bytes:int body:Object = Message;`, as it stands in a container: it has no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub msg_id: i64,
    pub seqno: i32,
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    /// Bytes before the body.
    pub const HEADER: usize = 16;

    pub fn read(r: &mut Reader<'a>) -> Result<Message<'a>, DecodeError> {
        let (msg_id, seqno, length) = (r.long()?, r.int()?, r.id()?);
        Ok(Message { msg_id, seqno, body: r.take(length as usize)? })
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.msg_id.to_le_bytes());
        out.extend_from_slice(&self.seqno.to_le_bytes());
        out.extend_from_slice(&(self.body.len() as u32).to_le_bytes());
        out.extend_from_slice(self.body);
    }
}

/// `msg_container#73f1f8dc messages:vector<message> = MessageContainer;`
#[derive(Clone, Debug)]
pub struct MsgContainer<'a> {
    left: usize,
    reader: Reader<'a>,
}

impl<'a> MsgContainer<'a> {
    pub const ID: u32 = 0x73f1_f8dc;

    /// Reads it bare, after the id. The messages are read as they are iterated over.
    pub fn read(r: &mut Reader<'a>) -> Result<MsgContainer<'a>, DecodeError> {
        let left = r.count(Message::HEADER)?;
        Ok(MsgContainer { left, reader: Reader::new(r.take(r.rest().len())?) })
    }

    /// How many messages have not been read yet.
    pub fn len(&self) -> usize {
        self.left
    }

    pub fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// Writes a container boxed, with its id.
    pub fn write(messages: &[Message], out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::ID.to_le_bytes());
        out.extend_from_slice(&(messages.len() as u32).to_le_bytes());
        messages.iter().for_each(|message| message.write(out));
    }
}

impl<'a> Iterator for MsgContainer<'a> {
    type Item = Result<Message<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.left.checked_sub(1) {
            Some(left) => {
                self.left = left;
                let message = Message::read(&mut self.reader);
                if message.is_err() {
                    self.left = 0;
                    self.reader = Reader::new(&[]);
                }
                Some(message)
            }
            // What stands behind the last message is an error, told once.
            None => {
                let left_over = std::mem::replace(&mut self.reader, Reader::new(&[])).finish();
                left_over.err().map(Err)
            }
        }
    }
}

/// Writes what stands before a query that is to be done after others, given by their message ids: `invokeAfterMsg` for one,
/// `invokeAfterMsgs` for several, nothing for none. "The outermost wrapper", says
/// <https://core.telegram.org/api/invoking#helper-method-sequence>
pub fn put_invoke_after(msg_ids: &[i64], out: &mut Vec<u8>) {
    match msg_ids {
        [] => {}
        [msg_id] => {
            out.extend_from_slice(&INVOKE_AFTER_MSG.to_le_bytes());
            out.extend_from_slice(&msg_id.to_le_bytes());
        }
        _ => {
            out.extend_from_slice(&INVOKE_AFTER_MSGS.to_le_bytes());
            out.extend_from_slice(&super::VECTOR.to_le_bytes());
            out.extend_from_slice(&(msg_ids.len() as u32).to_le_bytes());
            msg_ids.iter().for_each(|id| out.extend_from_slice(&id.to_le_bytes()));
        }
    }
}

/// `invokeAfterMsg#cb9f372d {X:Type} msg_id:long query:!X = X;`
pub const INVOKE_AFTER_MSG: u32 = 0xcb9f_372d;
/// `invokeAfterMsgs#3dc4b4f0 {X:Type} msg_ids:Vector<long> query:!X = X;`
pub const INVOKE_AFTER_MSGS: u32 = 0x3dc4_b4f0;

/// `msg_copy#e06046b2 orig_message:Message = MessageCopy;`, which nobody sends any more.
pub const MSG_COPY: u32 = 0xe060_46b2;

/// `gzip_packed#3072cfa1 packed_data:bytes = Object;`
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GzipPacked<'a> {
    pub packed_data: &'a [u8],
}

impl<'a> GzipPacked<'a> {
    pub const ID: u32 = 0x3072_cfa1;

    /// Reads it bare, after the id.
    pub fn read(r: &mut Reader<'a>) -> Result<GzipPacked<'a>, DecodeError> {
        Ok(GzipPacked { packed_data: r.bytes()? })
    }

    /// Writes it boxed, with its id. At most 2^24 - 1 bytes can be written so.
    pub fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&Self::ID.to_le_bytes());
        super::borrowed::put_bytes(self.packed_data, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tl::parse;

    #[test]
    fn a_container_gives_back_its_messages() {
        let messages =
            [Message { msg_id: 1, seqno: 2, body: &[1, 2, 3, 4] }, Message { msg_id: 3, seqno: 4, body: &[] }];
        let mut bytes = Vec::new();
        MsgContainer::write(&messages, &mut bytes);
        let mut reader = Reader::new(&bytes);
        reader.expect(MsgContainer::ID).expect("it was written");
        let read: Result<Vec<_>, _> = MsgContainer::read(&mut reader).expect("it was written").collect();
        assert_eq!(read.as_deref(), Ok(&messages[..]));
    }

    #[test]
    fn a_container_with_bytes_behind_it_is_an_error() {
        let mut bytes = Vec::new();
        MsgContainer::write(&[Message { msg_id: 1, seqno: 2, body: &[] }], &mut bytes);
        bytes.extend([0; 4]);
        let mut container = MsgContainer::read(&mut Reader::new(&bytes[4..])).expect("its count fits");
        assert!(container.next().is_some_and(|message| message.is_ok()));
        assert_eq!(container.next(), Some(Err(DecodeError::Trailing(4))));
        assert_eq!(container.next(), None);
    }

    #[test]
    fn a_container_that_claims_too_many_messages_is_an_error() {
        let bytes = [0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0];
        assert!(matches!(MsgContainer::read(&mut Reader::new(&bytes)), Err(DecodeError::Count(_))));
    }

    #[test]
    fn their_ids_are_the_crc32_of_their_lines() {
        let check = |line: &str, id: u32| {
            let lines = parse::schema(line).expect("it parses");
            assert_eq!(lines[0].computed_id(), id, "{line}");
        };
        check("gzip_packed#3072cfa1 packed_data:bytes = Object;", GzipPacked::ID);
        check("msg_copy#e06046b2 orig_message:Message = MessageCopy;", MSG_COPY);
        let id = |name| crate::tl::function(name).expect("it is in the schema").id;
        assert_eq!([id("invokeAfterMsg"), id("invokeAfterMsgs")], [INVOKE_AFTER_MSG, INVOKE_AFTER_MSGS]);
    }
}
