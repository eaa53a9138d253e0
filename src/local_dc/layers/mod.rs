//! Earlier layers of the API. A client says by invokeWithLayer which one it speaks; it is told everything in that layer, and
//! its queries are read in it. All else in the local DC knows this layer only.
//!
//! <https://core.telegram.org/api/invoking#layers>

mod table;
#[cfg(test)]
mod tests;

use super::refusal::Refusal;
use crate::tl::{
    Definition, Flag, LAYER, OLDEST_LAYER, Object, Type, Value, constructor, function, older_by_id, older_by_name,
    since,
};
use table::{BUTTONS, Becomes, FIELDS, OLD_BUTTONS};

/// What is nothing without its rows and buttons. Another vector that must be there and loses all of its items is empty.
const HOLD_BUTTONS: [&str; 3] = ["keyboardButtonRow", "replyKeyboardMarkup", "replyInlineMarkup"];

/// What a client may speak; else the refusal that it gets.
pub fn check(layer: i32) -> Result<(), Refusal> {
    if (OLDEST_LAYER..=LAYER).contains(&layer) {
        return Ok(());
    }
    tracing::warn!(layer, "a client of a layer that is not spoken here: the local DC has {OLDEST_LAYER} to {LAYER}");
    Err(Refusal { code: 400, name: format!("CONNECTION_LAYER_INVALID_{layer}").into() })
}

/// A value of this layer as an earlier one has it. Nothing where that layer has no words for it: it is left out of the vector or
/// the optional field that it stands in, or else what it is a part of cannot be told either.
pub fn told(value: Value, layer: i32) -> Option<Value> {
    match value {
        value if layer >= LAYER => Some(value),
        Value::Object(object) => told_object(object, layer).map(Value::Object),
        Value::Vector(items) => Some(Value::Vector(items.into_iter().filter_map(|item| told(item, layer)).collect())),
        value => Some(value),
    }
}

/// [`told`], for an object. One that is of the layer already stays as it is.
pub fn told_object(object: Object, layer: i32) -> Option<Object> {
    if layer >= LAYER {
        return Some(object);
    }
    if layer <= OLD_BUTTONS && older_by_id(object.id()).is_none() {
        match object.name() {
            "keyboardButton" | "keyboardInlineButton" => return told_button(&object, layer),
            "keyboardInlineButtonRow" => return retold(&object, constructor("keyboardButtonRow")?, layer),
            _ => {}
        }
    }
    let now = object.definition();
    match since(now) {
        Some(since) if since > layer => {
            let then = older_by_name(now.name, layer).filter(|then| then.kind == now.kind)?;
            retold(&object, then, layer)
        }
        _ => retold(&object, now, layer),
    }
}

/// The object with another definition, whose fields have the same names.
fn retold(object: &Object, then: &'static Definition, layer: i32) -> Option<Object> {
    let mut retold = Object::of(then);
    let mut gone: Vec<Flag> = Vec::new();
    for (name, of) in object.fields() {
        let Some(param) = then.param(name) else { continue };
        let value = match becomes(object.definition(), then, name) {
            Some(Becomes::Plain) => of.as_object().and_then(|text| text.get("text").cloned()),
            _ => told(of.clone(), layer),
        };
        let emptied = value.as_ref().is_some_and(is_empty) && !is_empty(of);
        let value = value.filter(|_| !emptied || (param.flag.is_none() && !HOLD_BUTTONS.contains(&then.name)));
        match (value, param.flag) {
            (Some(value), _) => set(&mut retold, name, value),
            (None, Some(flag)) => gone.push(flag),
            (None, None) => return None,
        }
    }
    // Fields of one bit are there together or not at all.
    for param in then.params.iter().filter(|param| param.flag.is_some_and(|flag| gone.contains(&flag))) {
        retold.try_set(param.name, None).ok()?;
    }
    whole(retold)
}

fn is_empty(value: &Value) -> bool {
    value.as_vector().is_some_and(<[Value]>::is_empty)
}

fn told_button(button: &Object, layer: i32) -> Option<Object> {
    let kind = button.object("type")?;
    let (then, ..) = BUTTONS.iter().find(|(_, now, of)| *now == button.name() && *of == kind.name())?;
    let mut told_button = Object::of(older_by_name(then, layer)?);
    for (name, value) in button.fields().filter(|(name, _)| *name != "type").chain(kind.fields()) {
        set(&mut told_button, name, told(value.clone(), layer)?);
    }
    whole(told_button)
}

/// A query that was asked in a layer, in this one. It may have in it what that layer has, and nothing else.
pub fn understood(query: Object, layer: i32) -> Result<Object, Refusal> {
    if layer < LAYER {
        return understood_object(&query, layer);
    }
    match older_in(&query) {
        Some(older) => Err(not_of(older, layer)),
        None => Ok(query),
    }
}

/// The first definition of an earlier layer in an object.
fn older_in(object: &Object) -> Option<&'static Definition> {
    fn within(value: &Value) -> Option<&'static Definition> {
        match value {
            Value::Object(object) => older_in(object),
            Value::Vector(items) => items.iter().find_map(within),
            _ => None,
        }
    }
    let own = older_by_id(object.id()).map(|older| &older.definition);
    own.or_else(|| object.fields().find_map(|(_, value)| within(value)))
}

fn understood_object(query: &Object, layer: i32) -> Result<Object, Refusal> {
    let then = query.definition();
    let older = older_by_id(then.id);
    let known = match older {
        Some(older) => older.until >= layer,
        None => since(then).is_none_or(|since| since <= layer),
    };
    if !known {
        return Err(not_of(then, layer));
    }
    if older.is_none() {
        let understood = reread(query, then, layer)?;
        // An older client's reply keyboard can hold an inline button; it is of another type now.
        if then.name == "keyboardButtonRow" && !holds(&understood, "keyboardButton") {
            return Err(Refusal::bad("BUTTON_TYPE_INVALID"));
        }
        return Ok(understood);
    }
    if let Some((_, now, kind)) = BUTTONS.iter().find(|(older, ..)| *older == then.name) {
        let (now, kind) = (named(now, then, layer)?, named(kind, then, layer)?);
        let button = reread(query, now, layer)?;
        return Ok(button.with("type", reread(query, kind, layer)?));
    }
    if then.name == "replyInlineMarkup" {
        let rows = query.vector("rows").unwrap_or_default().iter().filter_map(Value::as_object);
        let rows: Result<Vec<Object>, Refusal> = rows.map(|row| inline_row(row, layer)).collect();
        return Ok(Object::new("replyInlineMarkup").with("rows", rows?));
    }
    let now = if then.is_function() { function(then.name) } else { constructor(then.name) };
    let understood = now.map(|now| reread(query, now, layer)).transpose()?.and_then(whole);
    understood.ok_or_else(|| not_of(then, LAYER))
}

fn inline_row(row: &Object, layer: i32) -> Result<Object, Refusal> {
    let buttons = row.vector("buttons").unwrap_or_default().iter().filter_map(Value::as_object);
    let buttons: Result<Vec<Object>, Refusal> = buttons.map(|button| understood_object(button, layer)).collect();
    let row = Object::new("keyboardInlineButtonRow").with("buttons", buttons?);
    if holds(&row, "keyboardInlineButton") { Ok(row) } else { Err(Refusal::bad("BUTTON_TYPE_INVALID")) }
}

fn holds(row: &Object, button: &str) -> bool {
    let mut buttons = row.vector("buttons").unwrap_or_default().iter().filter_map(Value::as_object);
    buttons.all(|found| found.is(button))
}

/// The fields that `now` has too, each in this layer.
fn reread(query: &Object, now: &'static Definition, layer: i32) -> Result<Object, Refusal> {
    let mut reread = Object::of(now);
    for (name, value) in query.fields().filter(|(name, _)| now.param(name).is_some()) {
        let value = match becomes(now, query.definition(), name) {
            Some(Becomes::Plain) => {
                let entities = Vec::<Object>::new();
                Object::new("textWithEntities").with("text", value.clone()).with("entities", entities).into()
            }
            _ => understood_value(value, layer)?,
        };
        set(&mut reread, name, value);
    }
    Ok(reread)
}

fn understood_value(value: &Value, layer: i32) -> Result<Value, Refusal> {
    match value {
        Value::Object(object) => understood_object(object, layer).map(Value::Object),
        Value::Vector(items) => {
            let items: Result<Vec<Value>, Refusal> = items.iter().map(|item| understood_value(item, layer)).collect();
            items.map(Value::Vector)
        }
        value => Ok(value.clone()),
    }
}

/// What the table says of a field where a definition is `now` so and was `then` otherwise.
fn becomes(now: &Definition, then: &Definition, field: &str) -> Option<Becomes> {
    if now == then {
        return None;
    }
    let until = older_by_id(then.id)?.until;
    let row = FIELDS.iter().find(|(last, name, of, _)| (*last, *name, *of) == (until, now.name, field));
    row.map(|(.., becomes)| *becomes)
}

/// Sets a field that the definition is known to have.
fn set(object: &mut Object, name: &str, value: Value) {
    if let Err(error) = object.try_set(name, Some(value)) {
        tracing::error!(%error, "a field that its own definition does not take");
    }
}

/// The object, unless it lacks a field that it must have.
fn whole(object: Object) -> Option<Object> {
    let mut needed = object.definition().params.iter().filter(|param| param.flag.is_none() && param.ty != Type::Flags);
    needed.all(|param| object.get(param.name).is_some()).then_some(object)
}

fn named(name: &str, then: &Definition, layer: i32) -> Result<&'static Definition, Refusal> {
    constructor(name).ok_or_else(|| not_of(then, layer))
}

fn not_of(definition: &Definition, layer: i32) -> Refusal {
    tracing::warn!("a query with {}#{:08x}, which layer {layer} does not have", definition.name, definition.id);
    constructor_invalid(definition.id)
}

/// As Telegram puts it: the id of what it does not know, in hexadecimal.
pub fn constructor_invalid(id: u32) -> Refusal {
    Refusal { code: 400, name: format!("INPUT_CONSTRUCTOR_INVALID_{id:08X}").into() }
}
