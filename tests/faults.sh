#!/usr/bin/env bash
# 100,000 calls over a network that breaks: tests/faults.rs, in full. `cargo test` makes a tenth of them.
# Other faults: MOONGRAM_FAULT_SEED=7 bash tests/faults.sh
set -euo pipefail
cd "$(dirname "$0")/.."
MOONGRAM_FAULT_CALLS="${MOONGRAM_FAULT_CALLS:-100000}" cargo test --locked --test faults -- --nocapture
