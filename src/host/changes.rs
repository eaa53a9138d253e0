//! What a configuration that was read anew changes, and cannot change while the host runs.

use super::config::Config;

/// The keys that differ and take effect with the next start only; none where the host can follow at once.
pub fn needs_restart(old: &Config, new: &Config) -> Vec<&'static str> {
    let mut keys = Vec::new();
    macro_rules! compare {
        ($($section:ident . $key:ident),+ $(,)?) => {
            $(if old.$section.$key != new.$section.$key {
                keys.push(concat!(stringify!($section), ".", stringify!($key)));
            })+
        };
    }
    compare!(
        account.api_id,
        account.api_hash,
        account.bot_token,
        account.phone,
        account.session,
        account.passphrase,
        account.flood_sleep_threshold,
        network.transport,
        network.obfuscated,
        network.proxy,
        network.ipv6,
        network.pfs,
        network.dc,
        network.public_keys,
        network.test_dc,
        scripts.folder,
    );
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_connection_is_made_of_needs_a_restart_and_what_scripts_may_does_not() {
        fn check(old: &str, new: &str, expected: &[&str]) {
            let parse = |text| Config::parse(text, []).expect("a configuration");
            assert_eq!(needs_restart(&parse(old), &parse(new)), expected, "{old} {new}");
        }
        check("[account]\nbot_token = \"1:a\"", "[account]\nbot_token = \"1:b\"", &["account.bot_token"]);
        check(
            "",
            "[network]\ntransport = \"full\"\n[scripts]\nfolder = \"x\"",
            &["network.transport", "scripts.folder"],
        );
        check("", "[scripts]\nexclude = [\"old_*\"]\n[script.a]\nallow = [\"method:account.*\"]", &[]);
        check("[account]\nsession = \"a.db\"", "[account]\nsession = \"a.db\"", &[]);
    }
}
