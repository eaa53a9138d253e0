//! help.*: what a client asks first.

use super::fields::Fields;
use super::{Answered, Call};
use crate::local_dc::world::{CHAT_SIZE_MAX, EDIT_TIME_LIMIT, MESSAGE_LENGTH_MAX};
use crate::tl::Object;

/// <https://core.telegram.org/constructor/config>. Limits that something here keeps are those; the rest are Telegram's own.
pub fn get_config(call: &Call<'_>) -> Answered {
    let (dc_id, address) = (call.telegram.dc_id, call.telegram.address);
    let dc = Object::new("dcOption")
        .with("ipv6", address.is_ipv6())
        .with("static", true)
        .with("id", dc_id)
        .with("ip_address", address.ip().to_string())
        .with("port", i32::from(address.port()));
    let numbers = [
        ("date", call.now),
        ("expires", call.now.saturating_add(3600)),
        ("this_dc", dc_id),
        ("chat_size_max", CHAT_SIZE_MAX as i32),
        ("megagroup_size_max", 200_000),
        ("forwarded_count_max", 100),
        ("online_update_period_ms", 210_000),
        ("offline_blur_timeout_ms", 5_000),
        ("offline_idle_timeout_ms", 30_000),
        ("online_cloud_timeout_ms", 300_000),
        ("notify_cloud_delay_ms", 30_000),
        ("notify_default_delay_ms", 1_500),
        ("push_chat_period_ms", 60_000),
        ("push_chat_limit", 2),
        ("edit_time_limit", EDIT_TIME_LIMIT),
        ("revoke_time_limit", i32::MAX),
        ("revoke_pm_time_limit", i32::MAX),
        ("rating_e_decay", 2_419_200),
        ("stickers_recent_limit", 200),
        ("channels_read_media_period", 604_800),
        ("call_receive_timeout_ms", 20_000),
        ("call_ring_timeout_ms", 90_000),
        ("call_connect_timeout_ms", 30_000),
        ("call_packet_timeout_ms", 10_000),
        ("caption_length_max", 1024),
        ("message_length_max", MESSAGE_LENGTH_MAX as i32),
        ("webfile_dc_id", dc_id),
    ];
    let config = Object::new("config")
        .with("revoke_pm_inbox", true)
        .with("test_mode", false)
        .with("dc_options", vec![dc])
        .with("dc_txt_domain_name", "")
        .with("me_url_prefix", "https://t.me/");
    Ok(numbers.into_iter().fold(config, |config, (name, number)| config.with(name, number)).into())
}

pub fn get_nearest_dc(call: &Call<'_>) -> Answered {
    let dc_id = call.telegram.dc_id;
    Ok(Object::new("nearestDc").with("country", "ZZ").with("this_dc", dc_id).with("nearest_dc", dc_id).into())
}

/// An application configuration without a value in it: nothing here goes by one.
pub fn get_app_config(query: &Object) -> Answered {
    const HASH: i32 = 1;
    if query.small("hash") == HASH {
        return Ok(Object::new("help.appConfigNotModified").into());
    }
    let config = Object::new("jsonObject").with("value", Vec::<Object>::new());
    Ok(Object::new("help.appConfig").with("hash", HASH).with("config", config).into())
}
