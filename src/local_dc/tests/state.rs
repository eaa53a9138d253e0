//! What is kept.

use std::fs;

use super::client::*;
use crate::local_dc::api::fields::Fields;
use crate::local_dc::{Config, Error, KeepError, LocalDc, Peer};
use crate::mtproto::Transport;

#[tokio::test]
async fn a_later_start_goes_on_where_the_last_one_ended() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dc.json");
    let config = || Config { keep: Some(path.clone()), ..Config::default() };
    let dc = LocalDc::start(config()).await.unwrap();
    let (alice, bot) = (dc.add_user("Alice"), dc.add_bot("helper_bot", "Helper"));
    let group = dc.add_group("Friends", &[alice, bot.id]).unwrap();
    dc.send(alice, Peer::User(bot.id), "hello").unwrap();
    let mut client = Client::signed_in(&dc, bot.id, 1).await;
    let pts = client.call(state()).await.small("pts");
    let key = client.key.clone();
    drop(client);
    dc.stop().await;

    let dc = LocalDc::start(config()).await.unwrap();
    assert_eq!(dc.add_user("Alice"), alice);
    assert_eq!(dc.add_bot("helper_bot", "Helper"), bot, "with the same token");
    assert_eq!(dc.add_group("Friends", &[alice, bot.id]), Ok(group));
    let mut client = Client::connect(&dc, key, 1, Transport::Intermediate).await;
    assert_eq!(client.call(state()).await.small("pts"), pts, "signed in by the same key");
    dc.send(alice, Peer::Group(group), "again").unwrap();
    assert_eq!(client.texts(1).await, ["again"]);
}

#[tokio::test]
async fn a_change_is_on_disk_a_moment_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dc.json");
    let dc = LocalDc::start(Config { keep: Some(path.clone()), ..Config::default() }).await.unwrap();
    let alice = dc.add_user("Alice");
    dc.send(alice, Peer::User(alice), "remember me").unwrap();
    let kept = async {
        while !fs::read_to_string(&path).unwrap().contains("remember me") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, kept).await.expect("written by itself");
    #[cfg(unix)]
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&fs::metadata(&path).unwrap().permissions()) & 0o777, 0o600);
}

#[tokio::test]
async fn a_broken_file_is_an_error_that_says_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dc.json");
    for content in ["", "{", "[]", "{\"moongram_local_dc\":99,\"world\":null}"] {
        fs::write(&path, content).unwrap();
        let error =
            LocalDc::start(Config { keep: Some(path.clone()), ..Config::default() }).await.err().expect("an error");
        assert!(matches!(error, Error::Keep(KeepError::Broken { .. })), "{error}");
        assert!(error.to_string().contains("dc.json") && error.to_string().contains("Move it away"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content, "left as it is");
    }
}

#[tokio::test]
async fn a_place_that_cannot_be_written_is_told_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing").join("dc.json");
    let error = LocalDc::start(Config { keep: Some(path), ..Config::default() }).await.err().expect("an error");
    assert!(matches!(error, Error::Keep(KeepError::Write { .. })), "{error}");
}
