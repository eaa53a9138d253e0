//! The files of one script: its main file, and what it requires.

use std::cell::RefCell;
use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use mlua::chunk::ChunkMode;
use mlua::{Function, Lua, Table};

use super::spec::ScriptSpec;

/// What was read, by the name that messages use.
pub(super) struct Files {
    main_name: String,
    main: PathBuf,
    text: Option<Arc<[u8]>>,
    own_folder: Option<PathBuf>,
    lib: PathBuf,
    script: String,
    read: RefCell<Vec<Source>>,
}

struct Source {
    /// As messages and tracebacks name it.
    name: String,
    path: PathBuf,
    text: Rc<[u8]>,
    is_main: bool,
}

/// Where a required module lies.
pub(super) struct Module {
    pub path: PathBuf,
    pub name: String,
    /// In `lib/`: a global that is missing reads as nil there.
    pub is_library: bool,
}

impl Files {
    pub fn new(spec: &ScriptSpec) -> Files {
        let own_folder = spec.own_folder().map(Path::to_owned);
        let main_name = match own_folder {
            Some(_) => format!("{}/init.lua", spec.name),
            None => format!("{}.lua", spec.name),
        };
        Files {
            main_name,
            main: spec.main.clone(),
            text: spec.text.clone(),
            own_folder,
            lib: spec.folder.join("lib"),
            script: spec.name.clone(),
            read: RefCell::default(),
        }
    }

    pub fn main_name(&self) -> &str {
        &self.main_name
    }

    /// The files that were required, with the [hash](source_hash) of what they held.
    pub fn required(&self) -> Vec<(PathBuf, u64)> {
        self.read.borrow().iter().filter(|s| !s.is_main).map(|s| (s.path.clone(), source_hash(&s.text))).collect()
    }

    pub fn source_line(&self, name: &str, line: usize) -> Option<String> {
        let read = self.read.borrow();
        let source = read.iter().rev().find(|source| source.name == name)?;
        let bytes = source.text.split(|b| *b == b'\n').nth(line.checked_sub(1)?)?;
        let text = String::from_utf8_lossy(bytes);
        let text = text.trim_end();
        (!text.trim().is_empty() && text.len() < 400).then(|| text.to_owned())
    }

    /// Compiles the main file. The error is Lua's own `file:line: message`.
    pub fn load_main(&self, lua: &Lua) -> Result<Function, String> {
        self.load(lua, &self.main, &self.main_name, None, true)
    }

    /// Compiles a module; `env` is what it sees as its globals.
    pub fn load_module(&self, lua: &Lua, module: &Module, env: Option<Table>) -> Result<Function, String> {
        self.load(lua, &module.path, &module.name, env, false)
    }

    fn load(&self, lua: &Lua, path: &Path, name: &str, env: Option<Table>, is_main: bool) -> Result<Function, String> {
        let text: Rc<[u8]> = match &self.text {
            Some(text) if is_main => Rc::from(&**text),
            _ => fs::read(path).map_err(|error| format!("cannot read {name}: {error}"))?.into(),
        };
        self.read.borrow_mut().push(Source {
            name: name.to_owned(),
            path: path.to_owned(),
            text: text.clone(),
            is_main,
        });
        let code = strip_first_line_marks(&text);
        let mut chunk = lua.load(code.as_slice()).set_name(format!("@{name}")).set_mode(ChunkMode::Text);
        if let Some(env) = env {
            chunk = chunk.set_environment(env);
        }
        chunk.into_function().map_err(|error| match error {
            mlua::Error::SyntaxError { message, .. } => message,
            other => other.to_string(),
        })
    }

    /// Finds `x.y`: beside a folder script's `init.lua`, then in `lib/`. The error says where it looked.
    pub fn find(&self, module: &str) -> Result<Module, String> {
        let parts: Vec<&str> = module.split('.').collect();
        let is_plain = |part: &&str| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_-".contains(c));
        if !parts.iter().all(is_plain) {
            return Err(format!("'{module}' is not a module name: names are letters, digits, - and _, parted by dots"));
        }
        let relative: PathBuf = parts.iter().collect::<PathBuf>().with_extension("lua");
        let shown = format!("{}.lua", parts.join("/"));
        let places = [(self.own_folder.as_deref(), self.script.as_str(), false), (Some(&*self.lib), "lib", true)];
        let mut looked = Vec::new();
        for (base, prefix, is_library) in places {
            let Some(base) = base else { continue };
            let name = format!("{prefix}/{shown}");
            let path = base.join(&relative);
            if path.is_file() {
                // A link may lead anywhere: what counts is where the file really lies.
                let inside = matches!((path.canonicalize(), base.canonicalize()), (Ok(p), Ok(b)) if p.starts_with(&b));
                if !inside {
                    return Err(format!("{name} is a link that leads out of its folder"));
                }
                return Ok(Module { path, name, is_library });
            }
            looked.push(name);
        }
        Err(format!("module '{module}' is not there: no {}", looked.join(", no ")))
    }
}

/// A byte order mark goes; a `#!` line becomes a comment, so that line numbers stay.
fn strip_first_line_marks(text: &[u8]) -> Vec<u8> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    if text.starts_with(b"#") { [b"--", text].concat() } else { text.to_vec() }
}

/// What tells one content of a source from another, within one run of the program.
pub fn source_hash(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_name_cannot_leave_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let lib = folder.path().join("lib");
        fs::create_dir_all(lib.join("a")).unwrap();
        fs::write(lib.join("a/b.lua"), "return 1").unwrap();
        fs::write(folder.path().join("secret.lua"), "return 2").unwrap();
        #[cfg(unix)]
        std::os::unix::fs::symlink(folder.path().join("secret.lua"), lib.join("link.lua")).unwrap();
        let spec = ScriptSpec::new("hello", folder.path().join("hello.lua"), folder.path());
        let files = Files::new(&spec);
        assert_eq!(files.find("a.b").unwrap().name, "lib/a/b.lua");
        for bad in ["..secret", "../secret", "a/../../secret", "a..b", "", "a.", "/etc/passwd", "a\0b", "nothing"] {
            assert!(files.find(bad).is_err(), "{bad:?}");
        }
        #[cfg(unix)]
        assert!(files.find("link").err().unwrap().contains("leads out"));
    }
}
