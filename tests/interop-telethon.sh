#!/usr/bin/env bash
# Runs tests/interop_telethon.py with Telethon from PyPI in a virtual environment under target/.
#
# Without LOCAL_DC_ADDRESS it starts the example local_dc, whose bot nobody runs, and checks all but the reply.
set -euo pipefail
cd "$(dirname "$0")/.."

venv=target/telethon
if ! "$venv/bin/python" -c 'import telethon; assert telethon.__version__ == "1.45.0"' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check telethon==1.45.0
fi

if [ -n "${LOCAL_DC_ADDRESS:-}" ]; then
    exec timeout 60 "$venv/bin/python" tests/interop_telethon.py "$@"
fi

cargo build --quiet --example local_dc
work=$(mktemp -d)
: >"$work/out"
"${CARGO_TARGET_DIR:-target}/debug/examples/local_dc" 127.0.0.1:0 >"$work/out" &
dc=$!
trap 'kill "$dc" 2>/dev/null; rm -rf "$work"' EXIT
for _ in $(seq 100); do
    grep -q 'END RSA PUBLIC KEY' "$work/out" && break
    sleep 0.1
done
sed -n '/BEGIN RSA/,/END RSA/p' "$work/out" >"$work/key.pem"
field() { sed -n "s/^$1 //p" "$work/out"; }
timeout 60 "$venv/bin/python" tests/interop_telethon.py --address "$(field address)" --key "$work/key.pem" \
    --code "$(field code)" --bot example_bot --no-reply "$@"
