use super::*;

fn parse(text: &str) -> Result<Config> {
    Config::parse(text, [])
}

fn refusal(text: &str) -> String {
    format!("{:#}", parse(text).expect_err("an error"))
}

const WHOLE: &str = r#"
    [account]
    api_id = 12345
    api_hash = { env = "API_HASH" }
    bot_token = "1:abc"
    session = "other.db"
    flood_sleep_threshold = 10
    [network]
    transport = "abridged"
    pfs = false
    dc = [{ id = 2, address = "127.0.0.1:4430" }]
    public_keys = ["dc.pem"]
    [scripts]
    folder = "mine"
    exclude = ["old_*"]
    [scripts.limits]
    memory = "32MiB"
    cpu = "500ms"
    [script.weather]
    allow = ["http:api.example.com"]
    config = { city = "Berlin" }
    limits = { cpu = "2s" }
"#;

#[test]
fn every_documented_key_is_read() {
    let config = parse(WHOLE).expect("a configuration");
    assert_eq!(config.account.api_id, Some(12345));
    assert_eq!(config.network.transport, TransportName::Abridged);
    assert_eq!(config.network.dc[0].address.port(), 4430);
    let weather = config.script("weather");
    assert_eq!((weather.limits.memory, weather.limits.cpu), (Some(32 << 20), Some(Duration::from_secs(2))));
    assert_eq!(weather.limits.store, Some(10 << 20));
    assert_eq!(weather.config.expect("a table")["city"].as_str(), Some("Berlin"));
    let other = config.script("other").limits.resolve();
    assert_eq!((other.cpu, other.updates, other.running), (Duration::from_millis(500), 100, 10));
    assert_eq!((other.waiting, other.timers), (20, 30));
    assert_eq!(config.script("weather").limits.timers, Some(5));
}

#[test]
fn an_unknown_key_is_an_error_with_its_line_and_the_nearest_known_one() {
    let error = refusal("[account]\napi_idd = 1\n");
    assert!(error.contains("line 2: unknown key `account.api_idd`; did you mean `api_id`?"), "{error}");
    let error = refusal("[script.weather]\nalow = []\n");
    assert!(error.contains("`script.weather.alow`; did you mean `allow`?"), "{error}");
    let error = refusal("[network]\ndc = [{ id = 2, adress = \"127.0.0.1:1\" }]\n");
    assert!(error.contains("did you mean `address`?"), "{error}");
}

#[test]
fn a_script_s_own_configuration_is_free_in_its_keys() {
    assert!(parse("[script.a.config]\nanything = { at = \"all\" }").is_ok());
}

#[test]
fn a_wrong_value_is_named() {
    for (text, expected) in [
        ("[scripts.limits]\nmemory = \"lots\"", "is not a size"),
        ("[scripts.limits]\ncpu = \"1 fortnight\"", "is not a time"),
        ("[scripts.limits]\nmemory = \"0B\"", "`scripts.limits.memory` is too little: a script needs 1 MiB"),
        ("[script.a.limits]\nmemory = \"100KiB\"", "`script.a.limits.memory` is too little"),
        ("[script.a.limits]\ncpu = \"0s\"", "`script.a.limits.cpu` is too little: a handler needs 1 ms"),
        ("[scripts.limits]\nrunning = 0", "`scripts.limits.running` is 0"),
        ("[scripts.limits]\ntimers = -1", "`timers`: invalid value"),
        ("[scripts.limits]\ntimer = 1", "did you mean `timers`?"),
        ("[network]\ntransport = \"pigeon\"", "pigeon"),
        ("[account]\napi_id = \"x\"", "invalid type"),
        ("[account", "line 1"),
        ("[network]\nproxy = \"ftp://h:1\"", "`network.proxy`: a proxy begins with socks5://"),
        ("[network]\nproxy = 1080", "`network.proxy` is not a text"),
        ("[network]\ntransport = \"full\"\nobfuscated = true", "`network.obfuscated`: the full transport"),
        (
            "[network]\ntransport = \"full\"\nproxy = \"mtproxy://h:1?secret=00112233445566778899aabbccddeeff\"",
            "`network.proxy`: an MTProxy does not carry the full transport",
        ),
    ] {
        let error = refusal(text);
        assert!(error.contains(expected), "{text}: {error}");
    }
}

#[test]
fn the_environment_wins_over_the_file() {
    let environment = [
        ("MOONGRAM_ACCOUNT_API_ID", "7"),
        ("MOONGRAM_ACCOUNT_BOT_TOKEN", "5:token"),
        ("MOONGRAM_SCRIPTS_FOLDER", "elsewhere"),
        ("MOONGRAM_SCRIPTS_LIMITS_MEMORY", "1GiB"),
        ("MOONGRAM_SOMETHING_ELSE", "x"),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let config = Config::parse(WHOLE, environment).expect("a configuration");
    assert_eq!(config.account.api_id, Some(7));
    let token = config.account.bot_token.expect("a token").read(Path::new(".")).expect("read");
    assert_eq!(token, "5:token");
    assert_eq!(config.scripts.folder, Path::new("elsewhere"));
    assert_eq!(config.scripts.limits.memory, Some(1 << 30));
}

#[test]
fn the_network_is_read() {
    let config = parse("[network]\nobfuscated = true\nproxy = \"socks5://ann:hush@h:1080\"").expect("a configuration");
    assert!(config.network.obfuscated);
    assert_eq!(config.network.proxy, Via::parse("socks5://ann:hush@h:1080").expect("a proxy"));
    assert!(!format!("{config:?}").contains("hush"));
    assert_eq!(parse("").expect("a configuration").network.proxy, Via::Direct);
    let environment = [("MOONGRAM_NETWORK_PROXY".to_owned(), "http://h:3128".to_owned())];
    let config = Config::parse(WHOLE, environment).expect("a configuration");
    assert_eq!(config.network.proxy.to_string(), "http://h:3128");
}

#[test]
fn several_addresses_of_a_dc_and_ipv6_are_read() {
    let list = r#"dc = [{ id = 2, address = "127.0.0.1:1" }, { id = 2, address = "[::1]:2" }]"#;
    let config = parse(&format!("[network]\nipv6 = true\n{list}")).expect("a configuration");
    assert!(config.network.ipv6);
    let read: Vec<_> = config.network.dc.iter().map(|dc| (dc.id, dc.address.to_string())).collect();
    assert_eq!(read, [(2, "127.0.0.1:1".to_owned()), (2, "[::1]:2".to_owned())]);
}

#[test]
fn a_websocket_is_telegram_s_or_one_of_one_s_own() {
    let read = |value: &str| {
        let config = parse(&format!("[network]\n{value}")).expect("a configuration");
        config.network.websocket.read().expect("checked")
    };
    assert_eq!(read(""), WebSockets::Off);
    assert_eq!(read("websocket = false"), WebSockets::Off);
    assert_eq!(read("websocket = true"), WebSockets::Telegram);
    let own = WebSocket::parse("ws://127.0.0.1:4430/apiws").expect("a URL");
    let given = r#"websocket = [{ id = 2, url = "ws://127.0.0.1:4430/apiws" }]"#;
    assert_eq!(read(given), WebSockets::At(vec![(2, own)]));
    let environment = [("MOONGRAM_NETWORK_WEBSOCKET".to_owned(), "true".to_owned())];
    let config = Config::parse("", environment).expect("a configuration");
    assert_eq!(config.network.websocket.read().expect("checked"), WebSockets::Telegram);
    let refused = |rest: &str, expected: &str| {
        let error = refusal(&format!("[network]\n{rest}"));
        assert!(error.contains(expected), "{rest}: {error}");
    };
    refused("websocket = \"wss://h/\"", "`websocket`: expected true, false, or a list of tables with id and url");
    refused("websocket = [{ id = 2, url = \"http://h/\" }]", "`network.websocket`: `http://h/`: the address of");
    refused("websocket = [{ id = 2, uri = \"ws://h/\" }]", "did you mean `url`?");
    refused("websocket = true\ntransport = \"full\"", "`network.websocket`: the full transport");
    let mtproxy = "proxy = \"mtproxy://h:1?secret=00112233445566778899aabbccddeeff\"";
    refused(&format!("websocket = true\n{mtproxy}"), "an MTProxy carries no WebSocket");
    refused("websocket = true\ndc = [{ id = 2, address = \"127.0.0.1:1\" }]", "`network.dc` and `network.websocket`");
}

#[test]
fn a_wrong_proxy_is_named_by_its_key_and_not_repeated() {
    for proxy in
        ["socks5://ann:hush", "socks5://ann@h:hush", "hush://h:1", "http://hush@:1", "mtproxy://h:1?secret=hush"]
    {
        let error = refusal(&format!("[network]\nproxy = \"{proxy}\""));
        assert!(error.contains("`network.proxy`") && !error.contains("hush"), "{proxy}: {error}");
    }
}

#[test]
fn a_secret_is_never_shown() {
    let config = parse("[account]\nbot_token = \"12:hush\"").expect("a configuration");
    assert!(!format!("{config:?}").contains("hush"));
    for wrong in ["bot_token = \"12:hush", "bot_token = [\"12:hush\"]", "bot_token = { token = \"12:hush\" }"] {
        let error = refusal(&format!("[account]\napi_id = 1\n{wrong}\n"));
        assert!(!error.contains("hush"), "{error}");
    }
}
