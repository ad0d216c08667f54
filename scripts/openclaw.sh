#!/usr/bin/env bash
# Installs Node 24 and OpenClaw from npm, each into a folder of .cache/ that is named after its version.
# Asks no network when both are there. Needs any npm: only to get the pinned one.
set -euo pipefail
cd "$(dirname "$0")/.."

node=24.21.0
npm=11.19.1
openclaw=2026.9.6

# Fills a folder beside the final one and renames it, so that what is there is whole.
# Usage: install FOLDER PACKAGE...
install() {
    local folder=$1
    shift
    [ -d "$folder" ] && return
    echo "tools: installing $*"
    rm -rf "$folder.partial"
    mkdir -p "$folder.partial"
    # The scripts of `node` fetch its program, so they have to run.
    npm install --prefix "$folder.partial" --save-exact --ignore-scripts=false \
        --no-audit --no-fund --loglevel=error "$@"
    mv "$folder.partial" "$folder"
}

install ".cache/node-$node" "node@$node" "npm@$npm"
export PATH="$PWD/.cache/node-$node/node_modules/.bin:$PATH"
found=$(node --version 2>&1) || true
if [ "$found" != "v$node" ]; then
    printf 'tools: .cache/node-%s holds no Node %s (%s); remove it and run this again\n' \
        "$node" "$node" "$found" >&2
    exit 1
fi

install ".cache/openclaw-$openclaw" "openclaw@$openclaw"
