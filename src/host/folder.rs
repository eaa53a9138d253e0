//! Which scripts a folder holds.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The folder of libraries, beside the scripts.
pub const LIB: &str = "lib";

/// A script as it was found: its name and the file that is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    pub name: String,
    /// `NAME.lua` or `NAME/init.lua`.
    pub main: PathBuf,
}

/// The scripts of a folder by name, and what is wrong with the folder.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    pub scripts: BTreeMap<String, Found>,
    /// Complaints for people, each with the name it is about.
    pub problems: BTreeMap<String, String>,
}

/// Names to take and to leave, with `*` for any run of characters.
#[derive(Clone, Debug)]
pub struct Selection {
    pub include: Vec<String>,
    pub exclude: Vec<String>,
}

impl Default for Selection {
    fn default() -> Self {
        Selection { include: vec!["*".into()], exclude: Vec::new() }
    }
}

impl Selection {
    pub fn takes(&self, name: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|p| wildcard(p.as_bytes(), name.as_bytes()));
        any(&self.include) && !any(&self.exclude)
    }
}

/// Lists the scripts of `folder`: `NAME.lua` and `NAME/init.lua`, but not names that begin with `_` or `.`, nor `lib`,
/// nor `*_test.lua`.
pub fn list(folder: &Path, selection: &Selection) -> io::Result<Listing> {
    let mut listing = Listing::default();
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let Some(found) = script_at(&path) else { continue };
        if !selection.takes(&found.name) {
            continue;
        }
        if listing.problems.contains_key(&found.name) {
            continue;
        }
        if listing.scripts.remove(&found.name).is_some() {
            let name = found.name;
            let problem = format!("{name}.lua and {name}/init.lua are both there: keep one of them");
            listing.problems.insert(name, problem);
        } else {
            listing.scripts.insert(found.name.clone(), found);
        }
    }
    Ok(listing)
}

/// Whether a change of this file can concern scripts at all.
pub fn is_source(path: &Path) -> bool {
    let name = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
    name.ends_with(".lua") && !name.starts_with('.') && !name.ends_with('~')
}

/// The script that a path is, if it is one: a file `NAME.lua` or a folder with `init.lua`.
pub fn script_at(path: &Path) -> Option<Found> {
    let file = path.file_name()?.to_str()?;
    if file.starts_with(['_', '.']) || file == LIB {
        return None;
    }
    let (name, main) = match file.strip_suffix(".lua") {
        Some(name) if path.is_file() => (name, path.to_owned()),
        _ => (file, path.join("init.lua")),
    };
    let usable = !name.is_empty() && !name.ends_with("_test") && main.is_file();
    usable.then(|| Found { name: name.to_owned(), main })
}

fn wildcard(pattern: &[u8], name: &[u8]) -> bool {
    match (pattern.split_first(), name.split_first()) {
        (None, None) => true,
        (Some((b'*', rest)), _) => wildcard(rest, name) || (!name.is_empty() && wildcard(pattern, &name[1..])),
        (Some((p, rest)), Some((n, name))) => p == n && wildcard(rest, name),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        for file in files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a subfolder");
            fs::write(path, "").expect("a file");
        }
        folder
    }

    fn names(listing: &Listing) -> Vec<&str> {
        listing.scripts.keys().map(String::as_str).collect()
    }

    #[test]
    fn files_and_folders_are_scripts() {
        let folder = folder_with(&["hello.lua", "shop/init.lua", "shop/basket.lua", "notes.txt", "empty/readme.md"]);
        let listing = list(folder.path(), &Selection::default()).expect("a listing");
        assert_eq!(names(&listing), ["hello", "shop"]);
        assert_eq!(listing.scripts["shop"].main, folder.path().join("shop/init.lua"));
    }

    #[test]
    fn hidden_names_libraries_and_tests_are_not_loaded() {
        let folder =
            folder_with(&["_draft.lua", ".hidden.lua", "lib/init.lua", "hello_test.lua", "_x/init.lua", ".lua"]);
        assert_eq!(list(folder.path(), &Selection::default()).expect("a listing"), Listing::default());
    }

    #[test]
    fn a_name_that_stands_twice_is_a_problem_that_names_both() {
        let folder = folder_with(&["a.lua", "a/init.lua", "b.lua"]);
        let listing = list(folder.path(), &Selection::default()).expect("a listing");
        assert_eq!(names(&listing), ["b"]);
        assert!(listing.problems["a"].contains("a.lua and a/init.lua"));
    }

    #[test]
    fn patterns_choose_and_leave() {
        let folder = folder_with(&["echo.lua", "echo_old.lua", "quiz.lua"]);
        let selection = Selection { include: vec!["e*".into(), "quiz".into()], exclude: vec!["*_old".into()] };
        assert_eq!(names(&list(folder.path(), &selection).expect("a listing")), ["echo", "quiz"]);
    }

    #[test]
    fn only_lua_sources_matter_to_the_watch() {
        for (name, expected) in
            [("a.lua", true), (".a.lua.swp", false), ("a.lua~", false), (".#a.lua", false), ("4913", false)]
        {
            assert_eq!(is_source(Path::new(name)), expected, "{name}");
        }
    }
}
