//! Constructors and functions with their fields, known at run time only.

use super::nearest::{nearest, nearest_definition};
use super::schema::{self, Definition, Type};
use super::value::{Value, VectorItem};
use std::fmt::{self, Debug};
use thiserror::Error;

/// A constructor or a function with values for its fields.
#[derive(Clone, PartialEq)]
pub struct Object {
    definition: &'static Definition,
    /// A bit for each parameter that is there.
    present: [u64; 2],
    /// The values of those that are there and not `true` flags, in the order of the parameters.
    values: Vec<Value>,
}

/// A name that the schema does not have.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("there is no `{name}`{}", did_you_mean(*.nearest))]
pub struct UnknownName {
    pub name: String,
    pub nearest: Option<&'static str>,
}

/// Why a field cannot be set.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum FieldError {
    #[error("no field `{name}` in {definition}{}", did_you_mean(*.nearest))]
    Unknown { name: String, definition: &'static str, nearest: Option<&'static str> },
    #[error("{definition}.{name}: true expected, got {got}")]
    NotTrue { name: String, definition: &'static str, got: &'static str },
}

fn did_you_mean(nearest: Option<&str>) -> String {
    nearest.map(|name| format!("; did you mean `{name}`?")).unwrap_or_default()
}

static TRUE: Value = Value::Bool(true);

impl Object {
    /// A constructor, or else a function, without fields. For names that stand in the source: panics if there is none.
    #[track_caller]
    pub fn new(name: &str) -> Object {
        Object::try_new(name).unwrap_or_else(|error| panic!("{error}"))
    }

    pub fn try_new(name: &str) -> Result<Object, UnknownName> {
        let definition = schema::constructor(name).or_else(|| schema::function(name));
        definition
            .map(Object::of)
            .ok_or_else(|| UnknownName { name: name.to_owned(), nearest: nearest_definition(name) })
    }

    pub fn of(definition: &'static Definition) -> Object {
        Object { definition, present: [0; 2], values: Vec::new() }
    }

    pub fn definition(&self) -> &'static Definition {
        self.definition
    }

    /// The name in TL: `messages.sendMessage`.
    pub fn name(&self) -> &'static str {
        self.definition.name
    }

    pub fn id(&self) -> u32 {
        self.definition.id
    }

    /// Whether it is the constructor or function of that name.
    pub fn is(&self, name: &str) -> bool {
        self.definition.name == name
    }

    /// The object with a field set. For names that stand in the source: panics if there is no such field.
    #[track_caller]
    pub fn with(mut self, field: &str, value: impl IntoField) -> Object {
        self.set(field, value);
        self
    }

    /// Sets a field; `None`, and `false` for a flag, take it away. Panics if there is no such field.
    #[track_caller]
    pub fn set(&mut self, field: &str, value: impl IntoField) {
        let value = value.into_field();
        self.try_set(field, value).unwrap_or_else(|error| panic!("{error}"));
    }

    /// Sets a field of a name that comes from outside, or takes it away. `encode` checks the value's type, but a flag, which is
    /// a bit and not a value, takes nothing but booleans here.
    pub fn try_set(&mut self, field: &str, value: Option<Value>) -> Result<(), FieldError> {
        let definition = self.definition.name;
        let found = self.definition.params.iter().position(|param| param.name == field && param.ty != Type::Flags);
        let index = found.ok_or_else(|| FieldError::Unknown {
            name: field.to_owned(),
            definition,
            nearest: nearest(field, self.definition.fields().map(|param| param.name)),
        })?;
        match value {
            None => self.remove(index),
            Some(Value::Bool(set)) if bit(&self.definition.trues, index) => set_bit(&mut self.present, index, set),
            Some(value) if bit(&self.definition.trues, index) => {
                return Err(FieldError::NotTrue { name: field.to_owned(), definition, got: value.kind() });
            }
            Some(value) => self.put(index, value),
        }
        Ok(())
    }

    /// The value of a field, `true` for a flag that is set, nothing for what is absent or unknown.
    pub fn get(&self, field: &str) -> Option<&Value> {
        self.at(self.definition.params.iter().position(|param| param.name == field)?)
    }

    /// Takes the value of a field out.
    pub fn take(&mut self, field: &str) -> Option<Value> {
        let index = self.definition.params.iter().position(|param| param.name == field)?;
        if !bit(&self.present, index) || bit(&self.definition.trues, index) {
            return None;
        }
        let value = self.values.remove(self.rank(index));
        set_bit(&mut self.present, index, false);
        Some(value)
    }

    /// An `int` or `long`.
    pub fn int(&self, field: &str) -> Option<i64> {
        self.get(field)?.as_int()
    }

    pub fn str(&self, field: &str) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// Of `bytes`, `string`, `int128` and `int256`.
    pub fn bytes(&self, field: &str) -> Option<&[u8]> {
        self.get(field)?.as_bytes()
    }

    pub fn vector(&self, field: &str) -> Option<&[Value]> {
        self.get(field)?.as_vector()
    }

    pub fn object(&self, field: &str) -> Option<&Object> {
        self.get(field)?.as_object()
    }

    /// Whether a flag is set or a `Bool` is true.
    pub fn flag(&self, field: &str) -> bool {
        self.get(field) == Some(&TRUE)
    }

    /// The fields that are there, in the schema's order.
    pub fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let params = self.definition.params.iter().enumerate();
        params.filter_map(|(index, param)| Some((param.name, self.at(index)?)))
    }

    /// The value of the parameter of that index.
    pub(super) fn at(&self, index: usize) -> Option<&Value> {
        match bit(&self.present, index) {
            false => None,
            true if bit(&self.definition.trues, index) => Some(&TRUE),
            true => self.values.get(self.rank(index)),
        }
    }

    /// Sets the parameter of that index, which is not a flag.
    pub(super) fn put(&mut self, index: usize, value: Value) {
        let at = self.rank(index);
        if bit(&self.present, index) {
            self.values[at] = value;
        } else {
            self.values.insert(at, value);
            set_bit(&mut self.present, index, true);
        }
    }

    /// The same, where the parameters are set in their order and each once.
    pub(super) fn push(&mut self, index: usize, value: Value) {
        self.values.push(value);
        set_bit(&mut self.present, index, true);
    }

    /// Sets the flag of that index.
    pub(super) fn put_true(&mut self, index: usize) {
        set_bit(&mut self.present, index, true);
    }

    fn remove(&mut self, index: usize) {
        if bit(&self.present, index) && !bit(&self.definition.trues, index) {
            self.values.remove(self.rank(index));
        }
        set_bit(&mut self.present, index, false);
    }

    /// How many values come before that of the parameter of that index.
    fn rank(&self, index: usize) -> usize {
        let valued = |word: usize| self.present[word] & !self.definition.trues[word];
        let below = (1u64 << (index % 64)) - 1;
        match index / 64 {
            0 => (valued(0) & below).count_ones() as usize,
            _ => (valued(0).count_ones() + (valued(1) & below).count_ones()) as usize,
        }
    }
}

fn bit(bits: &[u64; 2], index: usize) -> bool {
    bits[index / 64] >> (index % 64) & 1 == 1
}

fn set_bit(bits: &mut [u64; 2], index: usize, set: bool) {
    let mask = 1 << (index % 64);
    match set {
        true => bits[index / 64] |= mask,
        false => bits[index / 64] &= !mask,
    }
}

impl Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut debug = f.debug_struct(self.name());
        for (name, value) in self.fields() {
            debug.field(name, value);
        }
        debug.finish()
    }
}

/// What a field can be set to: whatever becomes a `Value`, and an `Option` of it.
pub trait IntoField {
    fn into_field(self) -> Option<Value>;
}

impl<T: VectorItem> IntoField for T {
    fn into_field(self) -> Option<Value> {
        Some(self.into())
    }
}

impl<T: IntoField> IntoField for Option<T> {
    fn into_field(self) -> Option<Value> {
        self.and_then(IntoField::into_field)
    }
}

impl<T: VectorItem> IntoField for Vec<T> {
    fn into_field(self) -> Option<Value> {
        Some(self.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_what_it_was_set_to_last() {
        let mut object = Object::new("user").with("id", 5).with("bot", true).with("first_name", "A");
        assert_eq!(object.int("id"), Some(5));
        assert!(object.flag("bot"));
        object.set("first_name", "B");
        object.set("bot", false);
        object.set("username", Some("b"));
        object.set("phone", None::<&str>);
        let fields: Vec<&str> = object.fields().map(|(name, _)| name).collect();
        assert_eq!(fields, ["id", "first_name", "username"]);
        assert_eq!(object.str("first_name"), Some("B"));
        assert_eq!(object.take("first_name"), Some(Value::from("B")));
        assert_eq!(object.get("first_name"), None);
        assert_eq!(object.str("username"), Some("b"));
    }

    #[test]
    fn fields_beyond_the_sixty_fourth_are_kept_apart() {
        let definition = schema::constructor("channelFull").expect("it is in the schema");
        let mut object = Object::of(definition);
        let indices: Vec<usize> =
            (0..definition.params.len()).filter(|index| !bit(&definition.trues, *index)).collect();
        for index in indices.iter().rev() {
            object.put(*index, Value::Int(*index as i64));
        }
        for index in indices {
            assert_eq!(object.at(index), Some(&Value::Int(index as i64)));
        }
    }

    #[test]
    fn a_mistyped_field_names_the_nearest() {
        let error = Object::new("messages.sendMessage").try_set("mesage", Some("hi".into()));
        let message = error.expect_err("there is no such field").to_string();
        assert_eq!(message, "no field `mesage` in messages.sendMessage; did you mean `message`?");
    }

    #[test]
    fn a_flag_takes_only_booleans() {
        let error = Object::new("user").try_set("bot", Some(1.into())).expect_err("1 is not true");
        assert_eq!(error.to_string(), "user.bot: true expected, got integer");
    }

    #[test]
    fn a_mistyped_name_names_the_nearest() {
        let error = Object::try_new("messages.sendMesage").expect_err("there is no such function");
        assert_eq!(error.to_string(), "there is no `messages.sendMesage`; did you mean `messages.sendMessage`?");
    }
}
