//! One call and what may become of it: flood waits, transient errors, answers that were lost. This is the only place that
//! knows.

use std::time::Duration;

use bytes::Bytes;

use super::{CallError, RpcError};
use crate::net::{CallFailure, Clock, Connection};
use crate::tl::{self, Definition, Reader, Type, VECTOR, types};

/// Attempts after an error of the server's own.
const MAX_RETRIES: u32 = 5;
/// The wait before the first of these; it doubles.
const FIRST_RETRY: Duration = Duration::from_millis(500);
/// Sessions that may end under one call.
const MAX_LOST: u32 = 10;
/// Flood waits that one call sleeps through; a server that goes on for ever is an error in the end.
const MAX_FLOOD_WAITS: u32 = 100;

/// What makes calls: over a connection, by a clock.
#[derive(Clone)]
pub(super) struct Caller {
    pub connection: Connection,
    pub clock: Clock,
    /// Seconds.
    pub flood_sleep_threshold: u32,
}

impl Caller {
    pub async fn call(&self, body: Bytes) -> Result<Bytes, CallError> {
        let function = function_of(&body)?;
        let method = function.name;
        let repeatable = is_repeatable(function);
        let (mut retries, mut lost, mut floods) = (0, 0, 0);
        loop {
            let failure = match self.connection.call(body.clone()).await {
                Ok(result) => return Ok(result),
                Err(failure) => failure,
            };
            let error = match failure {
                CallFailure::Rpc(error) => RpcError::new(error.code, &error.message, method),
                CallFailure::Lost { certainly_not_done } if certainly_not_done || repeatable => {
                    lost += 1;
                    if lost > MAX_LOST {
                        return Err(CallError::OutcomeUnknown { method: method.into() });
                    }
                    tracing::debug!("{method} was lost with its session; sending it again");
                    continue;
                }
                CallFailure::Lost { .. } => return Err(CallError::OutcomeUnknown { method: method.into() }),
                CallFailure::Closed(fatal) => {
                    let reason = fatal.map(|fatal| fatal.to_string()).unwrap_or_default();
                    return Err(CallError::Closed { reason });
                }
            };
            if let Some(wait) = flood_wait(&error) {
                floods += 1;
                if wait > u64::from(self.flood_sleep_threshold) || floods > MAX_FLOOD_WAITS {
                    return Err(error.into());
                }
                tracing::warn!("{method}: {} of {wait} s, slept through", error.name);
                self.clock.sleep(Duration::from_secs(wait)).await;
            } else if error.name == "RANDOM_ID_DUPLICATE" && lost + retries > 0 && returns_updates(function) {
                // It had arrived the first time; its message comes with the updates.
                tracing::info!("{method} had arrived before its answer was lost");
                return Ok(no_updates());
            } else if is_transient(&error) && retries < MAX_RETRIES {
                // -503 says that somebody behind the server did not answer in time, not that nothing was done.
                if error.code == -503 && !repeatable {
                    return Err(CallError::OutcomeUnknown { method: method.into() });
                }
                let wait = FIRST_RETRY * 2u32.pow(retries);
                retries += 1;
                tracing::debug!("{method}: {error}; attempt {retries} in {wait:?}");
                self.clock.sleep(wait).await;
            } else {
                return Err(error.into());
            }
        }
    }
}

/// The function that bytes call.
pub(super) fn function_of(body: &[u8]) -> Result<&'static Definition, CallError> {
    let id = Reader::new(body).id().map_err(|error| CallError::Invalid(error.to_string()))?;
    match tl::by_id(id) {
        Some(definition) if definition.is_function() => Ok(definition),
        Some(definition) => Err(CallError::Invalid(format!("{} is not a function", definition.name))),
        None => Err(CallError::Invalid(format!("no function has the id {id:#010x}"))),
    }
}

/// Seconds to wait. <https://core.telegram.org/api/errors#420-flood>
fn flood_wait(error: &RpcError) -> Option<u64> {
    let waits = matches!(error.name.as_str(), "FLOOD_WAIT" | "FLOOD_PREMIUM_WAIT" | "SLOWMODE_WAIT");
    error.value.filter(|_| waits).and_then(|seconds| u64::try_from(seconds).ok())
}

/// An error of the server's, which a later attempt may not meet. <https://core.telegram.org/api/errors#500-internal>
fn is_transient(error: &RpcError) -> bool {
    // 501 is final: nobody learns a method by being asked again.
    matches!(error.code, 500 | 502..=599 | -599..=-500) && error.name != "RANDOM_ID_DUPLICATE"
}

/// True if doing it twice is the same as doing it once: it only reads, or the server knows it again by its random_id.
fn is_repeatable(function: &Definition) -> bool {
    if function.params.iter().any(|param| matches!(param.name, "random_id" | "multi_media")) {
        return true;
    }
    match function.name {
        // It presses a button.
        "messages.getBotCallbackAnswer" => false,
        // Signing in twice is being signed in.
        "auth.importBotAuthorization" | "initConnection" | "invokeWithLayer" => true,
        name => {
            let verb = name.rsplit('.').next().unwrap_or(name);
            ["get", "search", "check", "resolve", "is"].iter().any(|start| {
                verb.strip_prefix(start).is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_uppercase()))
            })
        }
    }
}

fn returns_updates(function: &Definition) -> bool {
    matches!(function.result, Type::Boxed(ty) if ty.name == "Updates")
}

/// `updates` with nothing in it.
fn no_updates() -> Bytes {
    let mut bytes = types::Updates::ID.to_le_bytes().to_vec();
    for _ in 0..3 {
        bytes.extend_from_slice(&VECTOR.to_le_bytes());
        bytes.extend_from_slice(&0u32.to_le_bytes());
    }
    // date, seq
    bytes.extend_from_slice(&[0; 8]);
    bytes.into()
}

#[cfg(test)]
mod tests;
