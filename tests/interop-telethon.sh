#!/usr/bin/env bash
# Telethon from PyPI, unmodified, signs in to `moongram dc` as a user and writes to the bot that `moongram run` holds there.
#
# Needs python3 with venv; everything else it installs itself, under target/.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/telethon
if ! "$venv/bin/python" -c 'import telethon; assert telethon.__version__ == "1.45.0"' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check telethon==1.45.0
fi

cargo build --quiet --locked
moongram=$PWD/${CARGO_TARGET_DIR:-target}/debug/moongram
work=$(mktemp -d)
dc='' host=''
trap 'kill $host $dc 2>/dev/null || true; rm -rf "$work"' EXIT

# Waits until a file holds a line, and shows the file if it never does.
await() {
    for _ in $(seq 200); do
        grep -q -- "$2" "$1" 2>/dev/null && return
        sleep 0.1
    done
    echo "no \"$2\" in $1:" >&2
    cat "$1" >&2
    exit 1
}

"$moongram" dc --listen 127.0.0.1:0 --json >"$work/dc.json" 2>"$work/dc.log" &
dc=$!
await "$work/dc.json" fingerprint
field() { python3 -c 'import functools, json, sys; print(functools.reduce(lambda at, key: at[key], sys.argv[2].split("."), json.load(open(sys.argv[1]))))' "$work/dc.json" "$1"; }
field public_key >"$work/dc.pem"

cat >"$work/moongram.toml" <<TOML
[account]
api_id = 1
api_hash = "local"
bot_token = "$(field bot.token)"
[network]
dc = [{ id = $(field dc_id), address = "$(field address)" }]
public_keys = ["dc.pem"]
[scripts]
folder = "$PWD/scripts"
TOML
"$moongram" run -c "$work/moongram.toml" 2>"$work/run.log" &
host=$!
await "$work/run.log" "hello is live"

timeout 60 "$venv/bin/python" tests/interop_telethon.py --address "$(field address)" --key "$work/dc.pem" \
    --code "$(field code)" --bot "$(field bot.username)" --expect "Hello, Tele" "$@"
