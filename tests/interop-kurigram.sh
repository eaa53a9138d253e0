#!/usr/bin/env bash
# Kurigram from PyPI, unmodified, against `moongram dc`: people and a bot, in all of its transports, and in two layers, 229 and
# 228, whose keyboards are others.
#
# Needs python3 with venv; everything else it installs itself, under target/.
source "$(dirname "$0")/interop/start.sh"

venv kurigram kurigram 2.2.26
venv kurigram-layer-228 kurigram 2.2.25
start_dc
suite target/kurigram/bin/python tests/interop/with_kurigram.py --layer 229 --transports all
suite target/kurigram-layer-228/bin/python tests/interop/with_kurigram.py --layer 228 --transports TCPAbridged
