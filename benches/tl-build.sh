#!/usr/bin/env bash
# What the TL layer costs to build: its tables, its borrowed types and its own code, as a crate of nothing else.
# Prints CPU seconds of cargo, rustc and the build script, its dependencies excluded; --release for the release profile.
set -euo pipefail
cd "$(dirname "$0")/.."
repository=$PWD
crate=$(mktemp -d)
trap 'rm -rf "$crate"' EXIT

mkdir "$crate/src"
cp -r tl build.rs "$crate/"
cp -r src/tl "$crate/src/"
echo 'pub mod tl;' >"$crate/src/lib.rs"
{
    printf '[package]\nname = "tl-alone"\nversion = "0.0.0"\nedition = "2024"\n[dependencies]\n'
    grep -E '^(bytes|serde_json|simdutf8|thiserror) =' Cargo.toml
} >"$crate/Cargo.toml"
cp Cargo.lock "$crate/"

cd "$crate"
export CARGO_TARGET_DIR=$repository/target/tl-alone
cargo build --quiet "$@"
cargo clean --quiet --package tl-alone "$@"
TIMEFORMAT='%U s user and %S s system, %R s in all'
time CARGO_INCREMENTAL=0 cargo build --quiet "$@"
