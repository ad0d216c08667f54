#!/usr/bin/env bash
# Runs `make test` in a fresh clone of this commit, with an empty target folder and an empty .cache/.
# The last lines say how long each stage took. The clone is removed.
set -euo pipefail
cd "$(dirname "$0")/.."

clone=$(mktemp -d)
trap 'rm -rf "$clone"' EXIT
git clone -q . "$clone"
cd "$clone"
# Not with what the clone's origin has installed: the Makefile puts that first.
env -u CARGO_TARGET_DIR -u MAKEFLAGS -u MAKELEVEL PATH="${PATH#*/.cache/tools/bin:}" make test
