#!/usr/bin/env bash
# Runs each target of fuzz/ under cargo-fuzz for a while: FUZZ_SECONDS each (10), or the targets that are named:
#
#   FUZZ_SECONDS=600 bash tests/fuzz.sh engine tl
#
# Needs no nightly toolchain: coverage comes from the compiler's own pass, and AddressSanitizer, which stable does not have, would
# look at the one file of this crate that has `unsafe` under these targets. cargo-fuzz is installed if it is not there.
# New inputs go to fuzz/target/corpus; what fails stays in fuzz/artifacts and belongs into fuzz/corpus once it is mended.
set -euo pipefail
cd "$(dirname "$0")/../fuzz"
version=0.13.2

cargo fuzz --version 2>/dev/null | grep -q " $version\$" ||
    cargo install --quiet --locked "cargo-fuzz@$version"

# cargo-fuzz has no --locked of its own.
cargo fetch --quiet --locked
cargo fuzz build --release --sanitizer none

targets=("$@")
if [ ${#targets[@]} -eq 0 ]; then
    mapfile -t targets < <(cargo fuzz list)
fi
for target in "${targets[@]}"; do
    mkdir -p "target/corpus/$target"
    cargo fuzz run --release --sanitizer none "$target" "target/corpus/$target" "corpus/$target" -- \
        -max_total_time="${FUZZ_SECONDS:-10}" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 2>&1 |
        tee "target/corpus/$target.log" | grep -aE 'panicked|SUMMARY|ERROR|number_of_executed_units|DONE' -A1 ||
        { tail -n 40 "target/corpus/$target.log"; exit 1; }
    grep -qa 'stat::number_of_executed_units' "target/corpus/$target.log"
done
