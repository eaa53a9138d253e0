//! Becoming signed in.

use bytes::Bytes;

use super::invoke::Caller;
use super::{CallError, Config, SignIn};
use crate::tl::{self, Object};

/// Signs in by the configuration; returns the account's boxed `User`. An error with code 303 names another DC to do it on.
pub(super) async fn sign_in(config: &Config, caller: &Caller) -> Result<Bytes, CallError> {
    match &config.sign_in {
        SignIn::Stored => Err(CallError::Invalid("there is nothing to sign in with".into())),
        SignIn::Bot { token } => {
            let call = Object::new("auth.importBotAuthorization")
                .with("flags", 0)
                .with("api_id", config.api_id)
                .with("api_hash", config.api_hash.as_str())
                .with("bot_auth_token", token.as_str());
            user_of(ask(caller, &call).await?)
        }
        SignIn::User { phone, code, name } => {
            let sent = send_code(config, caller, phone).await?;
            let Some(hash) = sent.str("phone_code_hash").map(str::to_owned) else {
                // auth.sentCodeSuccess: there was a token that made a code needless.
                return sent
                    .object("authorization")
                    .cloned()
                    .map_or_else(|| Err(malformed("no code was sent")), user_of);
            };
            // Whoever types it in may take his time.
            let code = code.clone();
            let code = match tokio::task::spawn_blocking(move || code()).await {
                Ok(code) => code,
                Err(error) => std::panic::resume_unwind(error.into_panic()),
            };
            let call = Object::new("auth.signIn")
                .with("phone_number", phone.as_str())
                .with("phone_code_hash", hash.as_str())
                .with("phone_code", code.trim());
            let answer = ask(caller, &call).await?;
            if answer.name() != "auth.authorizationSignUpRequired" {
                return user_of(answer);
            }
            let call = Object::new("auth.signUp")
                .with("phone_number", phone.as_str())
                .with("phone_code_hash", hash.as_str())
                .with("first_name", name.as_str())
                .with("last_name", "");
            user_of(ask(caller, &call).await?)
        }
    }
}

/// <https://core.telegram.org/api/auth>
async fn send_code(config: &Config, caller: &Caller, phone: &str) -> Result<Object, CallError> {
    let call = Object::new("auth.sendCode")
        .with("phone_number", phone)
        .with("api_id", config.api_id)
        .with("api_hash", config.api_hash.as_str())
        .with("settings", Object::new("codeSettings"));
    ask(caller, &call).await
}

async fn ask(caller: &Caller, call: &Object) -> Result<Object, CallError> {
    let mut body = Vec::new();
    tl::encode(call, &mut body).map_err(|error| CallError::Invalid(error.to_string()))?;
    let answer = caller.call(body.into()).await?;
    tl::decode_object(&answer).map_err(|error| malformed(&error.to_string()))
}

fn user_of(authorization: Object) -> Result<Bytes, CallError> {
    let user = authorization.object("user").ok_or_else(|| malformed("no user in it"))?;
    let mut bytes = Vec::new();
    tl::encode(user, &mut bytes).map_err(|error| malformed(&error.to_string()))?;
    Ok(bytes.into())
}

fn malformed(reason: &str) -> CallError {
    CallError::Malformed { method: "the sign-in".into(), reason: reason.into() }
}
