#!/usr/bin/env bash
# Checks t2b.service by systemd-analyze, and its environment by the gateway. Needs systemd 252 or newer; no service
# has to run.
#
# Usage: deploy/systemd/check.sh T2B
set -euo pipefail
cd "$(dirname "$0")/../.."

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
fail() { printf 'systemd: %s\n' "$1" >&2; exit 1; }
unit=deploy/systemd/t2b.service
t2b=$(realpath "$1")

sed "s|/usr/local/bin/t2b|$t2b|" "$unit" >"$work/t2b.service"
said=$(systemd-analyze verify --man=no "$work/t2b.service" 2>&1) || fail "$said"
[ -z "$said" ] || fail "$said"
# 1.2 of 10: what is left is the network and its addresses. `--threshold` is in tenths.
systemd-analyze security --offline=yes --threshold=15 "$work/t2b.service" >"$work/security" \
    || fail "$(tail -n 1 "$work/security")"

echo 'listen = "0.0.0.0:3000"' >"$work/t2b.toml"
"$t2b" keys secret >"$work/secrets"
"$t2b" keys secret | head -c 40 >"$work/admin-token"
chmod 0600 "$work"/*
env -i $(sed -n -e 's/^Environment=//p' "$unit" | sed -e "s|%d\|/etc/t2b|$work|" -e "s|%S|$work|") "$t2b" gateway config >"$work/config"
grep -q '^listen = "0.0.0.0:3000"' "$work/config" || fail "the configuration is not read"
echo "systemd: $(tail -n 1 "$work/security" | grep -o 'Overall.*[0-9] [A-Z]*'), and the gateway takes its environment"
