#!/usr/bin/env bash
# mtcute from npm, unmodified, with perfect forward secrecy, against `moongram dc` and the bot that `moongram run` holds there.
# Its layer is 227.
#
# Needs node 20 or newer with npm, and python3; everything else it installs itself, under target/.
source "$(dirname "$0")/interop/start.sh"

npm_folder mtcute @mtcute/node 0.30.3 @mtcute/core@0.30.3
start_dc
start_host
cp tests/interop/with_mtcute.mjs target/mtcute/
suite node target/mtcute/with_mtcute.mjs 227
