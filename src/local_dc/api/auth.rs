//! Signing in: bots by token, people by phone and code. <https://core.telegram.org/api/auth>

use super::fields::Fields;
use super::teller::Teller;
use super::{Answered, Call};
use crate::crypto::{Random as _, SystemRandom};
use crate::local_dc::refusal::Refusal;
use crate::local_dc::telegram::{PendingCode, SessionKey};
use crate::local_dc::world::{Peer, SERVICE_ACCOUNT, digits, to_hex};
use crate::mtproto::binding::open_binding;
use crate::tl::{Object, Value, types};

/// How long a code is good for, in seconds.
const CODE_LIFETIME: i32 = 300;

pub fn import_bot_authorization(call: &mut Call<'_>, query: &Object) -> Answered {
    let token = query.text("bot_auth_token");
    let bot = call.telegram.world.by_token(token).ok_or(Refusal::bad("ACCESS_TOKEN_INVALID"))?;
    authorize(call, bot)
}

pub fn send_code(call: &mut Call<'_>, query: &Object) -> Answered {
    let phone = phone(query)?;
    let mut random = [0; 8];
    SystemRandom::default().fill(&mut random);
    let hash = to_hex(&random);
    let pending = PendingCode { hash: hash.clone(), expires: call.now.saturating_add(CODE_LIFETIME), verified: false };
    let code = call.telegram.code();
    // Someone who is signed in elsewhere reads the code there, from Telegram's service account.
    let elsewhere =
        call.telegram.world.by_phone(&phone).filter(|user| call.telegram.keys.elsewhere(*user, call.session.auth_key));
    if let Some(user) = elsewhere {
        let text =
            format!("Login code: {code}. Do not give this code to anyone, even if they say they are from Telegram!");
        call.telegram.send(SERVICE_ACCOUNT, Peer::User(user), &text, call.now)?;
    }
    call.telegram.codes.insert(phone, pending);
    let kind = if elsewhere.is_some() { "auth.sentCodeTypeApp" } else { "auth.sentCodeTypeSms" };
    let kind = Object::new(kind).with("length", code.len() as i32);
    Ok(Object::new("auth.sentCode").with("type", kind).with("phone_code_hash", hash).into())
}

pub fn resend_code(call: &mut Call<'_>, query: &Object) -> Answered {
    pending(call, query)?;
    send_code(call, query)
}

pub fn cancel_code(call: &mut Call<'_>, query: &Object) -> Answered {
    let phone = pending(call, query)?;
    call.telegram.codes.remove(&phone);
    Ok(Value::Bool(true))
}

pub fn sign_in(call: &mut Call<'_>, query: &Object) -> Answered {
    let code = query.text("phone_code");
    if code.is_empty() {
        return Err(Refusal::bad("PHONE_CODE_EMPTY"));
    }
    let phone = pending(call, query)?;
    if code != call.telegram.code() {
        return Err(Refusal::bad("PHONE_CODE_INVALID"));
    }
    match call.telegram.world.by_phone(&phone) {
        Some(user) => {
            call.telegram.codes.remove(&phone);
            authorize(call, user)
        }
        None => {
            if let Some(pending) = call.telegram.codes.get_mut(&phone) {
                pending.verified = true;
            }
            Ok(Object::new("auth.authorizationSignUpRequired").into())
        }
    }
}

pub fn sign_up(call: &mut Call<'_>, query: &Object) -> Answered {
    let phone = pending(call, query)?;
    if !call.telegram.codes.get(&phone).is_some_and(|pending| pending.verified) {
        return Err(Refusal::bad("PHONE_CODE_EMPTY"));
    }
    if call.telegram.world.by_phone(&phone).is_some() {
        return Err(Refusal::bad("PHONE_NUMBER_OCCUPIED"));
    }
    let (first_name, last_name) = (query.text("first_name").trim(), query.text("last_name").trim());
    if first_name.is_empty() || first_name.chars().count() > 64 {
        return Err(Refusal::bad("FIRSTNAME_INVALID"));
    }
    let user = call.telegram.world.add_person(first_name, last_name, Some(phone.clone()));
    call.telegram.codes.remove(&phone);
    authorize(call, user)
}

pub fn log_out(call: &mut Call<'_>) -> Answered {
    if call.me == 0 {
        return Err(Refusal::new(401, "AUTH_KEY_UNREGISTERED"));
    }
    call.telegram.keys.sign_out(call.session.auth_key);
    call.telegram.changed = true;
    Ok(Object::new("auth.loggedOut").into())
}

/// <https://core.telegram.org/method/auth.bindTempAuthKey>: the proof is a message that only the permanent key can have encrypted.
pub fn bind_temp_auth_key(call: &mut Call<'_>, query: &Object) -> Answered {
    let keys = &mut call.telegram.keys;
    let SessionKey { auth_key: temporary, session } = call.session;
    if !keys.is_temporary(temporary) {
        return Err(Refusal::bad("TEMP_AUTH_KEY_EMPTY"));
    }
    let permanent = query.number("perm_auth_key_id") as u64;
    let (nonce, expires_at) = (query.number("nonce"), query.small("expires_at"));
    let proof = query.raw("encrypted_message").unwrap_or_default();
    let opened = keys.permanent(permanent).and_then(|key| open_binding(&key, proof));
    let (msg_id, inner) = opened.ok_or(Refusal::bad("ENCRYPTED_MESSAGE_INVALID"))?;
    let expected = types::BindAuthKeyInner {
        nonce,
        temp_auth_key_id: temporary as i64,
        perm_auth_key_id: permanent as i64,
        temp_session_id: session,
        expires_at,
    };
    if msg_id.0 != call.msg_id || inner != expected {
        return Err(Refusal::bad("ENCRYPTED_MESSAGE_INVALID"));
    }
    if expires_at <= call.now {
        return Err(Refusal::bad("EXPIRES_AT_INVALID"));
    }
    keys.bind(temporary, permanent, expires_at)?;
    Ok(Value::Bool(true))
}

fn authorize(call: &mut Call<'_>, user: i64) -> Answered {
    if !call.telegram.keys.sign_in(call.session.auth_key, user) {
        return Err(Refusal::new(401, "AUTH_KEY_PERM_EMPTY"));
    }
    call.telegram.changed = true;
    let told = Teller::new(&call.telegram.world, user).user(user);
    Ok(Object::new("auth.authorization").with("user", told).into())
}

fn phone(query: &Object) -> Result<String, Refusal> {
    let phone = digits(query.text("phone_number"));
    if (5..=15).contains(&phone.len()) { Ok(phone) } else { Err(Refusal::bad("PHONE_NUMBER_INVALID")) }
}

/// The number whose sign-in the query goes on with.
fn pending(call: &Call<'_>, query: &Object) -> Result<String, Refusal> {
    let phone = phone(query)?;
    let pending = call.telegram.codes.get(&phone).filter(|pending| pending.hash == query.text("phone_code_hash"));
    match pending {
        Some(pending) if pending.expires > call.now => Ok(phone),
        _ => Err(Refusal::bad("PHONE_CODE_EXPIRED")),
    }
}
