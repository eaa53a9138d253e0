//! The wrappers of a query, taken off. <https://core.telegram.org/api/invoking>

use crate::local_dc::api::fields::Fields;
use crate::local_dc::layers;
use crate::local_dc::refusal::Refusal;
use crate::tl::{DecodeError, Object, Value, decode_any_layer};

/// A query and what its wrappers say of it.
#[derive(Debug)]
pub struct Unwrapped {
    pub query: Object,
    pub layer: Option<i32>,
    pub without_updates: bool,
    /// Message ids of queries to be done first.
    pub after: Vec<i64>,
}

/// Decodes a query and takes off its wrappers. The query is of the layer that it was asked in, and for
/// [`layers::understood`] to read; a layer that is not spoken here is refused.
pub fn unwrap(body: &[u8]) -> Result<Unwrapped, Refusal> {
    let query = decode_any_layer(body).map_err(|error| refusal(&error))?;
    let mut unwrapped = Unwrapped { query, layer: None, without_updates: false, after: Vec::new() };
    loop {
        let outer = &unwrapped.query;
        match outer.name() {
            "invokeWithLayer" => {
                let layer = outer.small("layer");
                layers::check(layer)?;
                unwrapped.layer = Some(layer);
            }
            "initConnection" => {
                let text = |name| outer.text(name).to_owned();
                tracing::debug!(
                    device = text("device_model"),
                    app = text("app_version"),
                    layer = unwrapped.layer,
                    "initConnection"
                );
            }
            "invokeWithoutUpdates" => unwrapped.without_updates = true,
            "invokeAfterMsg" => unwrapped.after.push(outer.number("msg_id")),
            "invokeAfterMsgs" => unwrapped.after.extend(outer.numbers("msg_ids")),
            _ => return Ok(unwrapped),
        }
        let Some(Value::Object(inner)) = unwrapped.query.get("query").cloned() else {
            return Err(Refusal::bad("INPUT_REQUEST_INVALID"));
        };
        unwrapped.query = inner;
    }
}

fn refusal(error: &DecodeError) -> Refusal {
    match error {
        DecodeError::UnknownId(id) | DecodeError::UnknownConstructor { id, .. } => {
            tracing::warn!("a query with {id:#010x}, which no layer that is spoken here has there");
            layers::constructor_invalid(*id)
        }
        DecodeError::Truncated => Refusal::bad("INPUT_FETCH_ERROR"),
        _ => Refusal::bad("INPUT_REQUEST_INVALID"),
    }
}
