//! Which methods a script may call. Checked on the TL name of every call and of every query nested in one.

use crate::tl::{self, Definition, Scripts};

/// The `method:` grants of one script.
#[derive(Clone, Debug, Default)]
pub(in crate::lua) struct Grants(Vec<String>);

impl Grants {
    /// From `allow = ["method:payments.*", …]`; other grants are left to others.
    pub fn new(allow: &[String]) -> Grants {
        Grants(allow.iter().filter_map(|grant| grant.strip_prefix("method:")).map(str::to_owned).collect())
    }

    /// `Err` says why not, and which grant would help, if any.
    pub fn check(&self, function: &Definition) -> Result<(), String> {
        let name = function.name;
        // What wraps a query of any kind could carry what is refused here; what the table does not know is not the API's.
        let scripts = match tl::method(name) {
            Some(method) if !function.is_generic() => method.scripts,
            _ => Scripts::Never,
        };
        match scripts {
            Scripts::Default => Ok(()),
            Scripts::Grant if self.has(name) => Ok(()),
            Scripts::Grant => Err(format!("{name} needs a grant: allow = [\"method:{name}\"] in moongram.toml")),
            Scripts::Never => Err(format!("{name} cannot be called by scripts")),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|grant| match grant.strip_suffix('*') {
            Some(start) => name.starts_with(start),
            None => grant == name,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(allow: &[&str], name: &str) -> Result<(), String> {
        let allow: Vec<String> = allow.iter().map(|grant| (*grant).to_owned()).collect();
        Grants::new(&allow).check(tl::function(name).expect("it is in the schema"))
    }

    #[test]
    fn the_usual_methods_need_no_grant() {
        for name in ["messages.sendMessage", "users.getFullUser", "contacts.resolveUsername", "help.getConfig"] {
            assert_eq!(check(&[], name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_refusal_names_the_grant_that_is_missing() {
        let refusal = check(&[], "account.updateProfile").unwrap_err();
        assert!(refusal.contains("method:account.updateProfile"), "{refusal}");
        assert_eq!(check(&["method:account.*"], "account.updateProfile"), Ok(()));
        assert_eq!(check(&["method:account.updateProfile"], "account.updateProfile"), Ok(()));
        assert!(
            check(&["http:account.updateProfile", "method:account.updateProfil"], "account.updateProfile").is_err()
        );
    }

    #[test]
    fn no_grant_allows_what_is_never_allowed() {
        let never = [
            "auth.exportAuthorization",
            "auth.logOut",
            "initConnection",
            "invokeWithLayer",
            "invokeAfterMsg",
            "invokeWithoutUpdates",
            "auth.importBotAuthorization",
        ];
        for name in never {
            assert!(check(&["method:*"], name).is_err(), "{name}");
        }
        // Each function of MTProto's own, as far as the schema has it.
        for definition in tl::definitions().iter().filter(|d| d.is_function() && tl::method(d.name).is_none()) {
            assert!(Grants::new(&["method:*".to_owned()]).check(definition).is_err(), "{}", definition.name);
        }
    }
}
