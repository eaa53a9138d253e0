//! Where scripts keep what they keep: `data/`, beside the configuration.

use std::path::{Path, PathBuf};

use super::config::{Config, Secret};
use crate::lua::Places;
use crate::storage::store::Stores;

/// The folder beside the configuration in which each script has one of its own.
const DATA: &str = "data";
/// The file in it that all scripts' stores are in.
const STORE: &str = "store.db";

impl Config {
    /// The file of the scripts' stores.
    pub fn store_file(&self) -> PathBuf {
        self.path(Path::new(DATA)).join(STORE)
    }

    /// Where the scripts' files are, and which files are none of theirs, whatever is granted: the session and the store, the
    /// configuration, and the files that its secrets are in.
    pub fn places(&self) -> Places {
        let mut protected = Stores::files(&self.store_file());
        protected.extend(Stores::files(&self.path(&self.account.session)));
        protected.extend(self.file.clone());
        let secrets = [&self.account.api_hash, &self.account.bot_token, &self.account.passphrase];
        for secret in secrets.into_iter().flatten() {
            if let Secret::File { file } = secret {
                protected.push(self.path(file));
            }
        }
        Places { data: Some(self.path(Path::new(DATA))), base: self.base.clone(), protected }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_holds_a_secret_is_none_of_the_scripts() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("moongram.toml");
        std::fs::write(&file, "[account]\nbot_token = { file = 'token' }\napi_hash = 'x'\nsession = 'bot.db'\n")
            .unwrap();
        let places = Config::read(&file).unwrap().places();
        assert_eq!(places.data, Some(folder.path().join("data")));
        for name in
            ["moongram.toml", "token", "bot.db", "bot.db-wal", "bot.db-shm", "data/store.db", "data/store.db-wal"]
        {
            assert!(places.protected.contains(&folder.path().join(name)), "{name} in {:?}", places.protected);
        }
    }
}
