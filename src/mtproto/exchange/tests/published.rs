//! The exchange on <https://core.telegram.org/mtproto/samples-auth_key>, played to our client.

use super::super::{ClientExchange, plain, telegram_keys};
use super::at;
use crate::crypto::hex::{array, bytes, sample};
use crate::crypto::{Random, server_salt};
use crate::mtproto::{MsgId, Side};
use crate::tl::{Reader, functions, types};

fn published(name: &str) -> Vec<u8> {
    bytes(&sample("auth_key_exchange.txt", name))
}

/// Gives out the random numbers of the published client, in its order.
struct Script(Vec<Vec<u8>>);

impl Random for Script {
    fn fill(&mut self, buf: &mut [u8]) {
        if buf.is_empty() {
            return;
        }
        let next = self.0.remove(0);
        buf.copy_from_slice(&next);
    }
}

fn from_server(body: &[u8]) -> Vec<u8> {
    plain::seal(MsgId(1_707_425_105 << 32 | 1), body)
}

#[test]
fn our_client_sends_what_the_published_one_sent_and_comes_to_its_key() {
    let mut random = Script(vec![
        published("nonce"),
        published("new_nonce"),
        published("random_padding_bytes"),
        // RSA_PAD's temp_key, which the page does not show: any that gives a number below the modulus.
        vec![1; 32],
        published("b"),
        published("padding"),
    ]);
    let now = at(1_707_425_100);
    let mut client = ClientExchange::new(&telegram_keys(), 2, &mut random, now);
    let body = |packet: &[u8]| plain::open(packet, Side::Client).expect("our own packet").to_vec();

    assert_eq!(body(&client.poll_packet().expect("the first packet")), published("req_pq_multi"));

    client.handle_packet(&from_server(&published("resPQ")), now, &mut random).expect("an honest server");
    let packet = body(&client.poll_packet().expect("the second packet"));
    let mut reader = Reader::new(&packet);
    reader.expect(functions::ReqDHParams::ID).expect("req_DH_params");
    let request = functions::ReqDHParams::read(&mut reader).expect("req_DH_params");
    assert_eq!(request.nonce[..], published("nonce"));
    assert_eq!(request.server_nonce[..], published("server_nonce"));
    assert_eq!((request.p, request.q), (&bytes("5A300D4B")[..], &bytes("6A26DB65")[..]));
    assert_eq!(request.public_key_fingerprint.to_le_bytes(), array("85FD64DE851D9DD0"));
    assert_eq!(request.encrypted_data.len(), 256);

    let mut params = Vec::new();
    types::ServerDHParamsOk {
        nonce: request.nonce,
        server_nonce: request.server_nonce,
        encrypted_answer: &published("encrypted_answer"),
    }
    .write(&mut params);
    client.handle_packet(&from_server(&params), now, &mut random).expect("an honest server");
    let packet = body(&client.poll_packet().expect("the third packet"));
    let mut reader = Reader::new(&packet);
    reader.expect(functions::SetClientDHParams::ID).expect("set_client_DH_params");
    let request = functions::SetClientDHParams::read(&mut reader).expect("set_client_DH_params");
    assert_eq!(request.encrypted_data, published("encrypted_data"));

    client.handle_packet(&from_server(&published("dh_gen_ok")), now, &mut random).expect("an honest server");
    let agreed = client.poll_done().expect("the key");
    assert_eq!(agreed.auth_key.as_bytes()[..], published("auth_key"));
    assert_eq!(agreed.time_offset, 5);
    assert_eq!(
        agreed.server_salt,
        server_salt(
            &array(&sample("auth_key_exchange.txt", "new_nonce")),
            &array(&sample("auth_key_exchange.txt", "server_nonce"))
        )
    );
    assert!(random.0.is_empty(), "no number was left over");
}
