//! The layers of `src/lib.rs`, kept: who may import whom, and who may look at the clock.

use std::fs;
use std::path::{Path, PathBuf};

/// Each layer with all the layers below it that it may name.
const MAY_IMPORT: &[(&str, &[&str])] = &[
    ("crypto", &[]),
    ("tl", &[]),
    ("text", &["tl"]),
    ("mtproto", &["tl", "crypto"]),
    ("storage", &["tl", "crypto", "mtproto"]),
    ("net", &["tl", "crypto", "mtproto"]),
    ("client", &["tl", "crypto", "mtproto", "text", "net", "storage"]),
    ("lua", &["tl", "crypto", "mtproto", "text", "net", "storage", "client"]),
    ("local_dc", &["tl", "crypto", "mtproto"]),
    ("host", &["tl", "crypto", "mtproto", "text", "net", "storage", "client", "lua", "local_dc"]),
    ("cli", &["tl", "crypto", "mtproto", "text", "net", "storage", "client", "lua", "local_dc", "host"]),
];

fn rust_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of src") {
        let path = entry.expect("an entry of src").path();
        if path.is_dir() {
            rust_files(&path, into);
        } else if path.extension().is_some_and(|e| e == "rs") {
            into.push(path);
        }
    }
}

/// The code of a file: comments gone, so that prose may name any layer.
fn code_of(path: &Path) -> String {
    let text = fs::read_to_string(path).expect("a source file");
    text.lines().map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Every first segment after `crate::`, also in `crate::{a, b::c}`.
fn layers_named(code: &str) -> Vec<String> {
    let mut named = Vec::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with('$') {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut item = String::new();
            for c in group.chars() {
                match c {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => named.push(std::mem::take(&mut item)),
                    _ if depth == 0 => item.push(c),
                    _ => {}
                }
            }
            named.push(item);
        } else {
            named.push(rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect());
        }
    }
    named.iter().map(|n| n.trim().split("::").next().unwrap_or("").to_owned()).filter(|n| !n.is_empty()).collect()
}

#[test]
fn no_layer_imports_one_above_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let known: Vec<&str> = MAY_IMPORT.iter().map(|(layer, _)| *layer).collect();
    let mut wrong = Vec::new();
    let mut arrows = 0;
    for (layer, below) in MAY_IMPORT {
        let mut files = Vec::new();
        rust_files(&src.join(layer), &mut files);
        for file in files {
            for named in layers_named(&code_of(&file)) {
                if !known.contains(&named.as_str()) || named == *layer {
                    continue;
                }
                arrows += 1;
                if !below.contains(&named.as_str()) {
                    wrong.push(format!("{}: {layer} may not import {named}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "arrows upward:\n{}", wrong.join("\n"));
    assert!(arrows > 20, "only {arrows} imports found: does this test still read the right lines?");
}

#[test]
fn every_folder_of_src_is_a_layer() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    for entry in fs::read_dir(src).expect("src") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            let name = path.file_name().and_then(|n| n.to_str()).expect("a name").to_owned();
            assert!(MAY_IMPORT.iter().any(|(layer, _)| *layer == name), "{name} is not in the table of layers");
        }
    }
}

#[test]
fn an_upward_import_is_seen_in_every_form() {
    assert_eq!(layers_named("use crate::host::Host;"), ["host"]);
    assert_eq!(layers_named("use crate::{cli, lua::{a, b}, tl::Value};"), ["cli", "lua", "tl"]);
    assert_eq!(layers_named("let x = crate::local_dc::LocalDc::start();"), ["local_dc"]);
}

/// Client, lua and host take time from one `Clock`, so that a test can step a whole host.
#[test]
fn only_net_reads_the_clock() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut wrong = Vec::new();
    for layer in ["client", "lua", "host", "mtproto", "crypto", "tl", "text", "storage"] {
        let mut files = Vec::new();
        rust_files(&src.join(layer), &mut files);
        for file in files {
            if file.file_name().is_some_and(|name| name == "tests.rs") || file.iter().any(|part| part == "tests") {
                continue;
            }
            let code = code_of(&file);
            let code = code.split("#[cfg(test)]").next().unwrap_or("");
            for word in ["Instant::now", "SystemTime::now", "tokio::time"] {
                if code.contains(word) {
                    wrong.push(format!("{}: {word}", file.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "time is taken from net::Clock:\n{}", wrong.join("\n"));
}
