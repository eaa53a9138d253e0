#!/usr/bin/env bash
# Telethon from PyPI, unmodified, against `moongram dc` and the bot that `moongram run` holds there: in all of its transports, and
# in two layers, 229 and 227.
#
# Needs python3 with venv; everything else it installs itself, under target/.
source "$(dirname "$0")/interop/start.sh"

venv telethon telethon 1.45.0
venv telethon-layer-227 telethon 1.44.0
start_dc
start_host
suite target/telethon/bin/python tests/interop/with_telethon.py --layer 229 --transports all
suite target/telethon-layer-227/bin/python tests/interop/with_telethon.py --layer 227 --transports full
