//! Writes the files of `tl/` anew from the packages that publish their facts. See `tl/README.md`.

#[path = "../src/tl/parse.rs"]
mod parse;

use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::error::Error;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::{env, fs};

const USAGE: &str = "usage: cargo run --example tl-schema -- GRAMMERS MTCUTE [OUT]\n\
    GRAMMERS: the unpacked crate grammers-tl-types (it has tl/api.tl and tl/mtproto.tl)\n\
    MTCUTE: the unpacked npm package @mtcute/core (it has tl/api-schema.json and tl/raw-errors.json)\n\
    OUT: the folder to write to, `tl` unless given";

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<PathBuf> = env::args_os().skip(1).map(PathBuf::from).collect();
    let (grammers, mtcute, out) = match arguments.as_slice() {
        [grammers, mtcute] => (grammers, mtcute, Path::new("tl")),
        [grammers, mtcute, out] => (grammers, mtcute, out.as_path()),
        _ => return Err(USAGE.into()),
    };
    let read = |folder: &Path, name: &str| {
        let path = folder.join("tl").join(name);
        fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    };
    let api = read(grammers, "api.tl")?;
    let layer = parse::layer(&api).ok_or("api.tl has no `// LAYER N` line")?;
    let api = parse::schema(&api)?;
    let mtproto = parse::schema(&read(grammers, "mtproto.tl")?)?;
    for line in api.iter().chain(&mtproto).filter(|line| line.id != line.computed_id()) {
        eprintln!("{}: the id is not the CRC32 of its line, {:08x}", line.name, line.computed_id());
    }
    let methods: Value = serde_json::from_str(&read(mtcute, "api-schema.json")?)?;
    let errors: Value = serde_json::from_str(&read(mtcute, "raw-errors.json")?)?;

    if let Ok(before) = fs::read_to_string(out.join("api.tl")) {
        keep_older(out, &before, &api, layer)?;
    }
    let header = format!("// LAYER {layer}\n\n{}\n", parse::VECTOR_LINE);
    fs::write(out.join("api.tl"), header + &parse::print(&api))?;
    fs::write(out.join("mtproto.tl"), MTPROTO_HEADER.to_owned() + &parse::print(&mtproto))?;
    let facts = Facts::new(&methods, &errors)?;
    fs::write(out.join("methods.tsv"), facts.methods(&api))?;
    let texts = fs::read_to_string(out.join("errors.tsv")).unwrap_or_default();
    fs::write(out.join("errors.tsv"), facts.errors(&texts))?;
    Ok(())
}

/// Where a new layer takes the place of one: what that had otherwise goes to `older.tl`, and what is new is noted in `since.tsv`.
fn keep_older(out: &Path, before: &str, now: &[parse::Line], layer: i32) -> Result<(), Box<dyn Error>> {
    let layer_before = parse::layer(before).ok_or("the api.tl that is there has no `// LAYER N` line")?;
    if layer_before >= layer {
        return Ok(());
    }
    let before = parse::schema(before)?;
    let not_in = |lines: &[parse::Line], id: u32| lines.iter().all(|line| line.id != id);

    let text = fs::read_to_string(out.join("older.tl"))?;
    let header = text.split_inclusive("// LAYER").next().unwrap_or_default().trim_end_matches("// LAYER").to_owned();
    let mut sections = parse::sections(&text)?;
    let gone = before.iter().filter(|line| not_in(now, line.id)).cloned().collect();
    sections.push((layer_before, gone));
    for (_, lines) in &mut sections {
        lines.retain(|line| not_in(now, line.id));
    }
    let sections: Vec<String> =
        sections.iter().map(|(layer, lines)| format!("// LAYER {layer}\n{}", parse::print(lines))).collect();
    fs::write(out.join("older.tl"), header + &sections.join("\n"))?;

    let text = fs::read_to_string(out.join("since.tsv"))?;
    let stays = |row: &&str| {
        let name = row.split('\t').next().unwrap_or_default();
        let id = |lines: &[parse::Line]| lines.iter().find(|line| line.name == name).map(|line| line.id);
        name == "definition" || (id(now).is_some() && id(now) == id(&before))
    };
    let mut rows: Vec<String> = text.lines().filter(stays).map(str::to_owned).collect();
    rows.extend(now.iter().filter(|line| not_in(&before, line.id)).map(|line| format!("{}\t{layer}", line.name)));
    fs::write(out.join("since.tsv"), rows.join("\n") + "\n")?;
    Ok(())
}

const MTPROTO_HEADER: &str = "\
// Not here, because src/tl/envelope.rs reads them by hand: rpc_result, msg_container, message, msg_copy, gzip_packed.
";

/// Where the source's code is not the documentation's: <https://core.telegram.org/api/errors>.
const CORRECTED: &[(&str, i64)] = &[("FILE_MIGRATE_%d", 303)];

/// What the JSON files say, by name.
struct Facts {
    /// Error name to code.
    codes: BTreeMap<String, i64>,
    throws: BTreeMap<String, BTreeSet<String>>,
    bots_only: BTreeSet<String>,
    users_only: BTreeSet<String>,
}

impl Facts {
    fn new(methods: &Value, errors: &Value) -> Result<Facts, Box<dyn Error>> {
        let mut facts = Facts {
            codes: BTreeMap::new(),
            throws: BTreeMap::new(),
            bots_only: names(errors, "botOnly"),
            users_only: names(errors, "userOnly"),
        };
        for error in errors["errors"].as_object().ok_or("raw-errors.json has no `errors`")?.values() {
            facts.code(error)?;
        }
        for (method, thrown) in errors["throws"].as_object().ok_or("raw-errors.json has no `throws`")? {
            let thrown = thrown.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
            facts.throws.entry(method.clone()).or_default().extend(thrown);
        }
        for method in methods["e"].as_array().ok_or("api-schema.json has no `e`")? {
            let Some(name) = method["name"].as_str().filter(|_| method["kind"] == "method") else { continue };
            for error in method["throws"].as_array().into_iter().flatten() {
                let error = facts.code(error)?;
                facts.throws.entry(name.to_owned()).or_default().insert(error);
            }
            match method["available"].as_str() {
                Some("bot") => _ = facts.bots_only.insert(name.to_owned()),
                Some("user") => _ = facts.users_only.insert(name.to_owned()),
                _ => {}
            }
        }
        Ok(facts)
    }

    /// Notes an error's code, the first that is met, and returns its name.
    fn code(&mut self, error: &Value) -> Result<String, Box<dyn Error>> {
        let name = error["name"].as_str().ok_or("an error without a name")?;
        let code = error["code"].as_i64().ok_or("an error without a code")?;
        let corrected = CORRECTED.iter().find(|(corrected, _)| *corrected == name);
        let code = corrected.map_or(code, |(_, code)| *code);
        self.codes.entry(name.to_owned()).or_insert(code);
        Ok(name.to_owned())
    }

    fn methods(&self, api: &[parse::Line]) -> String {
        let mut lines = BTreeMap::new();
        for function in api.iter().filter(|line| line.function) {
            let name = function.name.as_str();
            let callers = match (self.bots_only.contains(name), self.users_only.contains(name)) {
                (true, false) => "bot",
                (false, true) => "user",
                _ => "both",
            };
            let errors: Vec<&str> = self.throws.get(name).into_iter().flatten().map(String::as_str).collect();
            lines.insert(name, format!("{name}\t{callers}\t{}\t{}\n", permission(name), errors.join(" ")));
        }
        let mut text = String::from("method\tcallers\tscripts\terrors\n");
        text.extend(lines.into_values());
        text
    }

    /// The texts of the old file stay; the tool knows only names and codes.
    fn errors(&self, old: &str) -> String {
        let texts: BTreeMap<&str, &str> = old
            .lines()
            .filter_map(|line| {
                let mut columns = line.split('\t');
                Some((columns.next()?, columns.nth(1)?))
            })
            .collect();
        let mut text = String::from("error\tcode\ttext\n");
        for (name, code) in &self.codes {
            let _ = writeln!(text, "{name}\t{code}\t{}", texts.get(name.as_str()).copied().unwrap_or_default());
        }
        text
    }
}

fn names(json: &Value, key: &str) -> BTreeSet<String> {
    json[key].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect()
}

/// Whether a script may call a method: `default`, by a `grant` of its owner, or `never`. A pattern that ends with `*`
/// stands for all that begins so; the first that fits decides.
fn permission(method: &str) -> &'static str {
    let fits = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(start) => method.starts_with(start),
        None => method == *pattern,
    };
    if NEVER.iter().any(fits) {
        "never"
    } else if GRANT.iter().any(fits) {
        "grant"
    } else {
        "default"
    }
}

const NEVER: &[&str] = &[
    // Signing in and out, and keys.
    "auth.*",
    // The wallet's secret.
    "wallet.exportSecretPhrase",
    "wallet.fetchEncryptedSecretPhrasePart",
    // What wraps a query belongs to the host; within it a script could hide what it may not call.
    "initConnection",
    "invokeWith*",
    "invokeAfter*",
];

const GRANT: &[&str] = &[
    // The account itself: name, privacy, password, sessions.
    "account.*",
    // The host receives updates. A difference would hand a script what is withheld from it.
    "updates.*",
    // Money.
    "payments.send*",
    "payments.transferStarGift",
    "payments.upgradeStarGift",
    "payments.convertStarGift",
    "payments.craftStarGift",
    "payments.updateStarGiftPrice",
    "payments.resolveStarGiftOffer",
    "payments.getStarsRevenueWithdrawalUrl",
    "payments.getStarGiftWithdrawalUrl",
    "payments.assign*",
    "payments.applyGiftCode",
    "payments.launchPrepaidGiveaway",
    "payments.refundStarsCharge",
    "payments.botCancelStarsSubscription",
    "payments.changeStarsSubscription",
    "payments.fulfillStarsSubscription",
    "payments.clearSavedInfo",
    "payments.createOnrampSession",
    "premium.applyBoost",
    "toncenter.*",
    "wallet.*",
    // Bots and their tokens.
    "bots.createBot",
    "bots.editAccessSettings",
    "bots.exportBotToken",
    // The owner's phone sends text messages for Telegram.
    "smsjobs.*",
    // Signing in elsewhere as the account.
    "messages.acceptUrlAuth",
    // What cannot be undone: a chat, its owner, its history, all contacts.
    "channels.convertToGigagroup",
    "channels.deleteChannel",
    "channels.deleteHistory",
    "channels.editCreator",
    "contacts.deleteContacts",
    "contacts.resetSaved",
    "messages.deleteChat",
    "messages.deleteHistory",
    "messages.deletePhoneCallHistory",
    "messages.deleteSavedHistory",
    "messages.deleteTopicHistory",
    "messages.editChatCreator",
    "messages.migrateChat",
];
