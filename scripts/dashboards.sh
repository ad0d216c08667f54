#!/usr/bin/env bash
# Two gateways on one redis-server under the load `mixed`, scraped by Prometheus with the rules of
# deploy/prometheus. Checks that every rule evaluates and that every panel of deploy/grafana has data, and
# draws the dashboards into target/dashboards/.
#
# Usage: scripts/dashboards.sh FOLDER   where t2b and t2b-loadtest are
#   DASHBOARD_SECONDS=N: how long the load lasts, 120 by default
set -euo pipefail
cd "$(dirname "$0")/.."

t2b=$1/t2b
loadtest=$1/t2b-loadtest
redis=.cache/redis/redis-server
prometheus=.cache/prometheus/prometheus
python=.cache/charts/bin/python
seconds=${DASHBOARD_SECONDS:-120}
out=${CARGO_TARGET_DIR:-target}/dashboards
dir=$(mktemp -d)

pids=()
end() {
    trap - EXIT INT TERM
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    rm -rf "$dir"
}
trap end EXIT INT TERM
fail() { printf 'dashboards: %s\n' "$1" >&2; exit 1; }
free_port() {
    "$python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
# Waits up to 30 s until a command succeeds.
until_ok() {
    for _ in $(seq 300); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.1
    done
    fail "in vain: $*"
}

redis_port=$(free_port)
"$redis" --bind 127.0.0.1 --port "$redis_port" --dir "$dir" --appendonly yes --save '' >"$dir/redis.log" 2>&1 &
pids+=($!)
(umask 077 && "$t2b" keys secret >"$dir/secret")

# The load has more tenants than series of their own: so `_other` has data.
urls=() admins=()
for node in 1 2; do
    T2B_STATE_DIR="$dir/node-$node" T2B_TENANT_SERIES_MAX=20 "$t2b" gateway run --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0 \
        --secrets-file "$dir/secret" --redis "redis://127.0.0.1:$redis_port" \
        >"$dir/node-$node.out" 2>"$dir/node-$node.log" &
    pids+=($!)
    until_ok grep -q listening "$dir/node-$node.out"
    urls+=("$(sed -n 's/.*\(ws:[^,]*\),.*/\1/p' "$dir/node-$node.out")")
    admins+=("$(sed -n 's/.*admin http:\/\/\([^ ,]*\).*/\1/p' "$dir/node-$node.out")")
done

port=$(free_port)
mkdir "$dir/prometheus"
cp deploy/prometheus/rules.yaml "$dir/rules.yaml"
cat >"$dir/prometheus.yaml" <<CONFIG
global: { scrape_interval: 2s, evaluation_interval: 5s }
scrape_configs:
  - job_name: t2b
    static_configs: [{ targets: ["${admins[0]}", "${admins[1]}"] }]
  - job_name: t2b-tenants
    metrics_path: /metrics/tenants
    static_configs: [{ targets: ["${admins[0]}", "${admins[1]}"] }]
rule_files: [rules.yaml]
CONFIG
"$prometheus" --config.file="$dir/prometheus.yaml" --storage.tsdb.path="$dir/prometheus" \
    --web.listen-address="127.0.0.1:$port" >"$dir/prometheus.log" 2>&1 &
pids+=($!)
until_ok curl -sf "http://127.0.0.1:$port/-/ready"

# Between the nodes, within one, and clients that come and go; each with tenants of its own.
load() {
    local name=$1
    shift
    "$loadtest" run "$@" --duration "${seconds}s" --secrets-file "$dir/secret" --tenant-prefix "$name" \
        >"$dir/load-$name.log" 2>&1
}
echo "dashboards: $seconds s of load on ${urls[*]}"
load across mixed --url "${urls[0]}" --url "${urls[1]}" &
loads=($!)
load within mixed --url "${urls[0]}" &
loads+=($!)
load visits churn --url "${urls[1]}" &
loads+=($!)
pids+=("${loads[@]}")
key=$("$t2b" keys issue over-http --secrets-file "$dir/secret" --redis "redis://127.0.0.1:$redis_port")
http=${urls[0]/ws:/http:}
for _ in $(seq "$seconds"); do
    curl -s -o /dev/null -H "authorization: Bearer $key" "${http%/ws}/v1/bots" || true
    sleep 1
done &
pids+=($!)
for pid in "${loads[@]}"; do
    # A missed threshold (1) is the machine's: it has other work here. A wrong delivery is not.
    wait "$pid" || [ $? = 1 ] || fail "$(tail -n 20 "$dir"/load-*.log)"
done
"$python" scripts/dashboards.py "http://127.0.0.1:$port" "$seconds" "$out"
