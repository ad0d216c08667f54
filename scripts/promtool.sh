#!/usr/bin/env bash
# Checks the rules of deploy/prometheus and runs their tests, beside a check of what a running gateway
# answers on /metrics and, once it has a tenant, on /metrics/tenants.
#
# Usage: scripts/promtool.sh T2B
set -euo pipefail
cd "$(dirname "$0")/.."

t2b=$1
promtool=.cache/prometheus/promtool
dir=$(mktemp -d)
pid=
end() {
    trap - EXIT INT TERM
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT INT TERM
fail() { printf 'promtool: %s\n' "$1" >&2; exit 1; }

# On free ports; the start line says which.
export T2B_STATE_DIR=$dir/state
"$t2b" gateway run --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 >"$dir/out" 2>"$dir/log" &
pid=$!

"$promtool" check rules deploy/prometheus/rules.yaml
printf '%s\0' deploy/prometheus/tests/*.yaml \
    | xargs -0 -n 3 -P "$(getconf _NPROCESSORS_ONLN)" "$promtool" test rules

admin=
for _ in $(seq 100); do
    admin=$(sed -n 's/.*admin \(http:[^ ,]*\).*/\1/p' "$dir/out")
    [ -z "$admin" ] || break
    sleep 0.1
done
[ -n "$admin" ] || fail "the gateway does not listen: $(tail -n 5 "$dir/log")"
public=$(sed -n 's/.*ws:\([^ ,]*\)\/ws,.*/http:\1/p' "$dir/out")
key=$("$t2b" keys issue alice)
curl -sf --max-time 10 -o "$dir/bots" -H "authorization: Bearer $key" "$public/v1/bots"

# Checks a page of the gateway. promtool also ends well if it reads nothing: so a line must be there.
check() {
    local page=$1 line=$2
    curl -sf --max-time 10 "$admin$page" >"$dir/page"
    grep -q "^$line" "$dir/page" || fail "$page has no $line"
    "$promtool" check metrics <"$dir/page"
    echo "promtool: $(grep -c '^[a-z]' "$dir/page") lines of $page are well formed"
}
check /metrics t2b_message_seconds_bucket
check /metrics/tenants 't2b_tenant_http_requests_total{tenant="alice"} 1$'
