//! One call and what may become of it: flood waits, transient errors, answers that were lost. This is the only place that
//! knows.

use std::time::Duration;

use bytes::Bytes;

use super::order::{Barred, Taking};
use super::{CallError, RpcError, Turn};
use crate::net::{CallFailure, Clock, Connection, Place};
use crate::tl::{self, Definition, Reader, Type, VECTOR, types};

/// Attempts after an error of the server's own.
const MAX_RETRIES: u32 = 5;
/// How long an answer is waited for while the DC can be spoken to. Telegram answers what takes it too long itself, with -503.
const PATIENCE: Duration = Duration::from_secs(300);
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

/// Why an attempt is not the last.
enum Again {
    At(Duration),
    /// When the calls before it have moved on.
    AfterOthers,
}

/// What the attempts at a call have come to so far.
#[derive(Default)]
struct Attempts {
    retries: u32,
    lost: u32,
    floods: u32,
}

impl Caller {
    pub async fn call(&self, body: Bytes) -> Result<Bytes, CallError> {
        self.call_in(body, None).await
    }

    /// Calls, in its turn if there is one.
    pub async fn call_in(&self, body: Bytes, turn: Option<&Turn>) -> Result<Bytes, CallError> {
        let function = function_of(&body)?;
        let taking = turn.filter(|turn| !turn.is_over()).map(Taking::new);
        let mut attempts = Attempts::default();
        loop {
            let after = match &taking {
                Some(taking) => taking.come().await.map_err(|Barred| wait_failed(function))?,
                None => Vec::new(),
            };
            let failure = match self.attempt(function, body.clone(), after.clone(), taking.as_ref()).await? {
                Ok(result) => {
                    taking.iter().for_each(Taking::done);
                    return Ok(result);
                }
                Err(failure) => failure,
            };
            let again = match attempts.judge(function, failure, !after.is_empty(), self.flood_sleep_threshold)? {
                Judged::Again(again) => again,
                Judged::Done(result) => {
                    taking.iter().for_each(Taking::done);
                    return Ok(result);
                }
            };
            taking.iter().for_each(Taking::back);
            match (again, &taking) {
                (Again::At(wait), _) if !wait.is_zero() => self.clock.sleep(wait).await,
                (Again::AfterOthers, Some(taking)) => taking.moved(&after).await,
                _ => {}
            }
        }
    }

    /// Sends it once.
    async fn attempt(
        &self,
        function: &Definition,
        body: Bytes,
        after: Vec<Place>,
        taking: Option<&Taking<'_>>,
    ) -> Result<Result<Bytes, CallFailure>, CallError> {
        let asked = match self.connection.begin(body, after).await {
            Ok(asked) => asked,
            Err(failure) => return Ok(Err(failure)),
        };
        let place = asked.place().clone();
        taking.into_iter().for_each(|taking| taking.sent(&place));
        tokio::select! {
            biased;
            answer = asked.answer() => Ok(answer),
            () = self.patience() => Err(CallError::NoAnswer {
                method: function.name.into(),
                waited: PATIENCE,
                received: place.is_received(),
                only_reads: only_reads(function),
            }),
        }
    }

    /// Returns when the DC could be spoken to for as long as an answer is waited for.
    async fn patience(&self) {
        let mut status = self.connection.status();
        let mut left = PATIENCE;
        loop {
            // A connection that is closed for good answers everything.
            if status.wait_for(|status| status.connected).await.is_err() {
                return std::future::pending().await;
            }
            let since = self.clock.now().mono;
            tokio::select! {
                () = self.clock.sleep(left) => return,
                _ = status.wait_for(|status| !status.connected) => {}
            }
            left = left.saturating_sub(self.clock.now().mono - since);
        }
    }
}

enum Judged {
    Again(Again),
    Done(Bytes),
}

impl Attempts {
    /// What becomes of a call that failed this way; `ordered` when the server was told of calls to be done before it.
    fn judge(
        &mut self,
        function: &Definition,
        failure: CallFailure,
        ordered: bool,
        flood_sleep_threshold: u32,
    ) -> Result<Judged, CallError> {
        let method = function.name;
        let repeatable = is_repeatable(function);
        let again = |wait| Ok(Judged::Again(Again::At(wait)));
        let error = match failure {
            CallFailure::Rpc(error) => RpcError::new(error.code, &error.message, method),
            CallFailure::Lost { certainly_not_done } if certainly_not_done || repeatable => {
                self.lost += 1;
                if self.lost > MAX_LOST {
                    return Err(CallError::OutcomeUnknown { method: method.into() });
                }
                tracing::debug!("{method} was lost with its session; sending it again");
                return again(Duration::ZERO);
            }
            CallFailure::Lost { .. } => return Err(CallError::OutcomeUnknown { method: method.into() }),
            CallFailure::TooLarge(_) => return Err(CallError::Invalid(format!("{method}: {failure}"))),
            CallFailure::Closed(fatal) => {
                let reason = fatal.map(|fatal| fatal.to_string()).unwrap_or_default();
                return Err(CallError::Closed { reason });
            }
        };
        if let Some(wait) = flood_wait(&error) {
            self.floods += 1;
            if wait > u64::from(flood_sleep_threshold) || self.floods > MAX_FLOOD_WAITS {
                return Err(error.into());
            }
            tracing::warn!("{method}: {} of {wait} s, slept through", error.name);
            again(Duration::from_secs(wait))
        } else if ordered && matches!(error.name.as_str(), "MSG_WAIT_FAILED" | "MSG_WAIT_TIMEOUT") {
            // The one before may have slept through a flood wait only, or takes long.
            Ok(Judged::Again(Again::AfterOthers))
        } else if error.name == "RANDOM_ID_DUPLICATE" && self.lost + self.retries > 0 && returns_updates(function) {
            // It had arrived the first time; its message comes with the updates.
            tracing::info!("{method} had arrived before its answer was lost");
            Ok(Judged::Done(no_updates()))
        } else if is_transient(&error) && self.retries < MAX_RETRIES {
            // -503 says that somebody behind the server did not answer in time, not that nothing was done.
            if error.code == -503 && !repeatable {
                return Err(CallError::OutcomeUnknown { method: method.into() });
            }
            let wait = FIRST_RETRY * 2u32.pow(self.retries);
            self.retries += 1;
            tracing::debug!("{method}: {error}; attempt {} in {wait:?}", self.retries);
            again(wait)
        } else {
            Err(error.into())
        }
    }
}

/// What the server says of a call that is to be done after one that failed.
fn wait_failed(function: &Definition) -> CallError {
    RpcError::new(400, "MSG_WAIT_FAILED", function.name).into()
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
    let has_random_id = function.params.iter().any(|param| matches!(param.name, "random_id" | "multi_media"));
    // Signing in twice is being signed in.
    let signs_in = matches!(function.name, "auth.importBotAuthorization" | "initConnection" | "invokeWithLayer");
    has_random_id || signs_in || only_reads(function)
}

/// True for what changes nothing.
fn only_reads(function: &Definition) -> bool {
    match function.name {
        // It presses a button.
        "messages.getBotCallbackAnswer" => false,
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
