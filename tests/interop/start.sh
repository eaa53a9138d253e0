# Sourced by tests/interop-*.sh, which run another client against `moongram dc`. Needs bash, python3 with venv, and cargo.
#
# Gives them: venv, npm_folder, start_dc, start_host, field, suite; and $moongram, and $work, which is gone at the end with all processes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# How many seconds one suite may take, once it is installed.
SUITE_LIMIT=${SUITE_LIMIT:-60}

work=$(mktemp -d)
dc='' host=''
trap 'kill $host $dc 2>/dev/null || true; rm -rf "$work"' EXIT

# venv FOLDER PACKAGE VERSION [MORE…]: a virtual environment under target/ with one package in one version.
venv() {
    local folder=target/$1 package=$2 version=$3
    shift 3
    local check="import importlib.metadata as m; assert m.version('$package') == '$version'"
    if ! "$folder/bin/python" -c "$check" 2>/dev/null; then
        python3 -m venv --clear "$folder"
        "$folder/bin/pip" install --quiet --disable-pip-version-check "$package==$version" "$@"
    fi
}

# npm_folder FOLDER PACKAGE VERSION [MORE…]: a folder under target/ with node_modules of one package in one version. Scripts of
# packages are not run: what they would build (SQLite) is not used.
npm_folder() {
    local folder=target/$1 package=$2 version=$3
    shift 3
    if ! grep -qs "\"version\": \"$version\"" "$folder/node_modules/$package/package.json"; then
        rm -rf "$folder" && mkdir -p "$folder"
        echo '{ "private": true, "type": "module" }' >"$folder/package.json"
        npm install --prefix "$folder" --silent --ignore-scripts --no-audit --no-fund "$package@$version" "$@"
    fi
}

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

# start_dc: builds moongram and starts its local DC, on a free port.
start_dc() {
    cargo build --quiet --locked
    moongram=$PWD/${CARGO_TARGET_DIR:-target}/debug/moongram
    "$moongram" dc --listen 127.0.0.1:0 --json >"$work/dc.json" 2>"$work/dc.log" &
    dc=$!
    await "$work/dc.json" fingerprint
    field public_key >"$work/dc.pem"
}

# field NAME: what the DC has said of itself, `address` or `bot.token`.
field() {
    python3 -c 'import functools, json, sys
at = json.load(open(sys.argv[1]))
print(functools.reduce(lambda at, key: at[key], sys.argv[2].split("."), at))' "$work/dc.json" "$1"
}

# start_host: a `moongram run` that holds the DC's bot, with the scripts of tests/interop/scripts.
start_host() {
    cat >"$work/moongram.toml" <<TOML
[account]
api_id = 1
api_hash = "local"
bot_token = "$(field bot.token)"
[network]
dc = [{ id = $(field dc_id), address = "$(field address)" }]
public_keys = ["dc.pem"]
[scripts]
folder = "$PWD/tests/interop/scripts"
TOML
    "$moongram" run -c "$work/moongram.toml" 2>"$work/run.log" &
    host=$!
    await "$work/run.log" "answers is live"
}

# suite COMMAND…: runs a client, told of the DC by the environment, for SUITE_LIMIT seconds at most. What the DC and the host
# have logged is shown if it fails.
suite() {
    local result=0
    LOCAL_DC_ADDRESS=$(field address) LOCAL_DC_KEY=$work/dc.pem LOCAL_DC_CODE=$(field code) LOCAL_DC_ID=$(field dc_id) \
        LOCAL_DC_BOT=$(field bot.username) LOCAL_DC_TOKEN=$(field bot.token) LOCAL_DC_WORK=$work \
        timeout "$SUITE_LIMIT" "$@" || result=$?
    if [ $result != 0 ]; then
        [ $result != 124 ] || echo "$1 took longer than $SUITE_LIMIT s" >&2
        tail -n "${SUITE_LOG:-40}" "$work/dc.log" "$work"/run.log >&2 2>/dev/null || true
        exit $result
    fi
}
