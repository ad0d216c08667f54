#!/usr/bin/env bash
# A cluster to play with, on loopback: redis-server, two gateways, haproxy before them. Ends with
# Ctrl-C. What it writes lies in .cache/cluster/.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=.cache/cluster
redis=.cache/redis/redis-server
door=${CLUSTER_PORT:-3000}
fail() { printf 'cluster: %s\n' "$1" >&2; exit 1; }

[ -x "$redis" ] || fail "missing: $redis; run: make tools"
if ! command -v haproxy >/dev/null; then
    [ "$(id -u)" = 0 ] || fail "missing: haproxy; install it and run this again"
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends haproxy >/dev/null
fi

rm -rf "$dir"
mkdir -p "$dir"
t2b=$1
(umask 077 && "$t2b" keys secret >"$dir/secret")

pids=()
end() {
    trap - EXIT INT TERM
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap end EXIT INT TERM

"$redis" --bind 127.0.0.1 --port $((door + 379)) --dir "$dir" --appendonly yes --save '' \
    >"$dir/redis.log" 2>&1 &
pids+=($!)

for node in 1 2; do
    T2B_STATE_DIR="$dir/node-$node" "$t2b" gateway run \
        --listen "127.0.0.1:$((door + node))" --admin-listen "127.0.0.1:$((door + 100 + node))" \
        --secrets-file "$dir/secret" --redis "redis://127.0.0.1:$((door + 379))" \
        >"$dir/node-$node.log" 2>&1 &
    pids+=($!)
    echo "node $node: pid $!, ws://127.0.0.1:$((door + node))/ws"
done

cat >"$dir/haproxy.cfg" <<CONFIG
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
frontend door
    bind 127.0.0.1:$door
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    http-check send hdr Host 127.0.0.1
    server node-1 127.0.0.1:$((door + 1)) check port $((door + 101)) inter 1s
    server node-2 127.0.0.1:$((door + 2)) check port $((door + 102)) inter 1s
CONFIG
haproxy -f "$dir/haproxy.cfg" -db >"$dir/haproxy.log" 2>&1 &
pids+=($!)

for node in 1 2; do
    ready=no
    for _ in $(seq 100); do
        curl -sf "http://127.0.0.1:$((door + 100 + node))/readyz" >/dev/null && ready=yes && break
        sleep 0.1
    done
    [ "$ready" = yes ] || fail "node $node is not ready; see $dir/node-$node.log"
done
key=$("$t2b" keys issue alice --secrets-file "$dir/secret")
cat <<TEXT

The cluster is up. haproxy is at ws://127.0.0.1:$door/ws and gives every socket to the next node.
Try, in other terminals:

  export T2B_KEY=$key
  $t2b bot echo --id bot_echo --url ws://127.0.0.1:$door/ws              a bot, on one of the nodes
  $t2b chat bot_echo --text hello --url ws://127.0.0.1:$((door + 1))/ws   its owner on node 1
  $t2b chat bot_echo --text hello --url ws://127.0.0.1:$((door + 2))/ws   its owner on node 2
  T2B_STATE_DIR=$dir/node-1 $t2b gateway status --admin-listen 127.0.0.1:$((door + 101)) --secrets-file $dir/secret --redis redis://127.0.0.1:$((door + 379))

Then kill the bot's node by its pid: the bot comes back on the other one. Or run the bot a second time,
on the other node: the first one is told that it was replaced.
Ctrl-C ends all of it.
TEXT
wait
