//! Both sides joined by two queues, the published exchange, and a hostile peer for every rule.

mod agreement;
mod hostile_client;
mod hostile_server;
mod published;

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use super::super::Time;
use crate::crypto::{RsaPrivateKey, RsaPublicKey};

static KEY: LazyLock<Arc<RsaPrivateKey>> = LazyLock::new(|| {
    let pem = include_str!("../../../../tests/samples/rsa_pkcs1.pem");
    Arc::new(RsaPrivateKey::from_pem(pem).expect("the sample key is well-formed"))
});

fn public_keys() -> Vec<RsaPublicKey> {
    vec![KEY.public().clone()]
}

fn at(unix: u64) -> Time {
    Time { mono: Duration::from_secs(5), unix: Duration::from_secs(unix) }
}

const NOW: u64 = 1_750_000_000;
