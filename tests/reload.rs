//! Reloads: what a save, a checkout, a rename or a link makes live.

mod stage;

use std::collections::BTreeMap;

use moongram::host::Event;
use stage::hosted::Hosted;

#[tokio::test]
async fn fifty_files_that_change_at_once_are_loaded_once_each() {
    let name = |n: usize| format!("scripts/s{n:02}.lua");
    let files: Vec<(String, String)> = (0..50).map(|n| (name(n), format!("x{n} = 1\n"))).collect();
    let files: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let mut stage = Hosted::new(&files).await;
    assert_eq!(stage.settled().await.len(), 50);
    // As git does it: each file is removed, and made anew.
    for n in 0..50 {
        std::fs::remove_file(stage.at(&name(n))).expect("removed");
        stage.save(&name(n), &format!("x{n} = 2\n"));
    }
    let lives = stage.settled().await;
    assert_eq!((lives.len(), lives.values().max()), (50, Some(&1)), "{lives:?}");
    // Written and not changed is no reason to load anything.
    for n in 0..50 {
        stage.save(&name(n), &format!("x{n} = 2\n"));
    }
    assert_eq!(stage.settled().await, BTreeMap::new());
}

#[tokio::test]
async fn a_library_that_is_saved_loads_its_users_and_nobody_else() {
    let mut stage = Hosted::new(&[
        ("scripts/lib/inner.lua", "return 1"),
        ("scripts/lib/outer.lua", "return require('inner')"),
        ("scripts/a.lua", "x = require('outer')"),
        ("scripts/b.lua", "x = require('inner')"),
        ("scripts/c.lua", "x = 0"),
    ])
    .await;
    stage.settled().await;
    let loaded = |names: &[&str]| names.iter().map(|name| (name.to_string(), 1)).collect::<BTreeMap<_, _>>();
    stage.save("scripts/lib/inner.lua", "return 2");
    assert_eq!(stage.settled().await, loaded(&["a", "b"]));
    stage.save("scripts/lib/outer.lua", "return require('inner') + 1");
    assert_eq!(stage.settled().await, loaded(&["a"]));
    assert_eq!(stage.evaluate("a", "x").await, "3");
    // Modules that require each other: the version before goes on, and the way round is told.
    stage.save("scripts/lib/inner.lua", "return require('outer')");
    match stage.next("a").await {
        Event::Failed { message, still_running: true, .. } => {
            assert!(message.contains("requires itself: lib/outer.lua -> lib/inner.lua -> lib/outer.lua"), "{message}")
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(stage.evaluate("a", "x").await, "3");
}

#[tokio::test]
async fn scripts_follow_their_files_when_these_are_renamed_moved_and_removed() {
    let mut stage =
        Hosted::new(&[("scripts/a.lua", "x = 1"), ("elsewhere/shop/init.lua", "x = require('basket')")]).await;
    stage.save("elsewhere/shop/basket.lua", "return 7");
    stage.live("a").await;
    std::fs::rename(stage.at("scripts/a.lua"), stage.at("scripts/b.lua")).expect("renamed");
    assert_eq!(stage.live("b").await, 1);
    assert!(matches!(stage.next("a").await, Event::Removed { .. }));
    std::fs::rename(stage.at("elsewhere/shop"), stage.at("scripts/shop")).expect("moved in");
    assert_eq!(stage.live("shop").await, 1);
    assert_eq!(stage.evaluate("shop", "x").await, "7");
    std::fs::rename(stage.at("scripts/shop"), stage.at("elsewhere/shop")).expect("moved out");
    assert!(matches!(stage.next("shop").await, Event::Removed { .. }));
    std::fs::remove_file(stage.at("scripts/b.lua")).expect("removed");
    assert!(matches!(stage.next("b").await, Event::Removed { .. }));
    // What editors leave beside a file is none of ours.
    for name in ["scripts/.c.lua.swp", "scripts/c.lua~", "scripts/#c.lua#", "scripts/4913", "scripts/.#c.lua"] {
        stage.save(name, "f(})");
    }
    assert_eq!(stage.settled().await, BTreeMap::new());
}

#[cfg(unix)]
#[tokio::test]
async fn a_linked_script_follows_what_the_link_leads_to() {
    use std::os::unix::fs::symlink;
    let mut stage = Hosted::new(&[("elsewhere/one/a.lua", "x = 1"), ("elsewhere/two/a.lua", "x = 22")]).await;
    let link = stage.at("scripts/a.lua");
    symlink(stage.at("elsewhere/one/a.lua"), &link).expect("linked");
    assert_eq!(stage.live("a").await, 1);
    stage.save("elsewhere/one/a.lua", "x = 333");
    assert_eq!(stage.live("a").await, 2);
    assert_eq!(stage.evaluate("a", "x").await, "333");
    // Another target, as those switch who deploy by links.
    let next = stage.at("scripts/.next");
    symlink(stage.at("elsewhere/two/a.lua"), &next).expect("linked");
    std::fs::rename(&next, &link).expect("switched");
    assert_eq!(stage.live("a").await, 3);
    assert_eq!(stage.evaluate("a", "x").await, "22");
}
