#!/usr/bin/env bash
# A cluster to try out, on loopback: redis-server, two gateways, haproxy in front of them. Ctrl-C ends
# it. Its files are in .cache/cluster/PORT/.
#
# Usage: scripts/cluster.sh T2B   CLUSTER_PORT=N: haproxy listens on N, the rest on ports above it
set -euo pipefail
cd "$(dirname "$0")/.."

redis=.cache/redis/redis-server
t2b=$1
fail() { printf 'cluster: %s\n' "$1" >&2; exit 1; }
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)

# Offsets from haproxy's port: the gateways, their admin listeners, Redis.
offsets="0 1 2 101 102 379"
# Prints the first port in use if haproxy is at $1.
port_in_use() {
    local offset
    for offset in $offsets; do
        if (exec 3<>"/dev/tcp/127.0.0.1/$(($1 + offset))") 2>/dev/null; then
            echo "$(($1 + offset))"
            return
        fi
    done
}
front=${CLUSTER_PORT:-}
if [ -n "$front" ]; then
    used=$(port_in_use "$front")
    [ -z "$used" ] || fail "port $used is in use; set CLUSTER_PORT to another one"
else
    for front in 3000 3600 4200 4800 5400 fail; do
        [ "$front" != fail ] || fail "ports 3000 to 5779 are in use; set CLUSTER_PORT"
        [ -n "$(port_in_use "$front")" ] || break
    done
fi
url="redis://127.0.0.1:$((front + 379))"
dir=.cache/cluster/$front

rm -rf "$dir"
mkdir -p "$dir"
(umask 077 && "$t2b" keys secret >"$dir/secret")

pids=()
end() {
    trap - EXIT INT TERM
    kill "${pids[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
}
trap end EXIT INT TERM

"$redis" --bind 127.0.0.1 --port $((front + 379)) --dir "$dir" --appendonly yes --save '' \
    >"$dir/redis.log" 2>&1 &
pids+=($!)

for node in 1 2; do
    T2B_STATE_DIR="$dir/node-$node" "$t2b" gateway run \
        --listen "127.0.0.1:$((front + node))" --admin-listen "127.0.0.1:$((front + 100 + node))" \
        --secrets-file "$dir/secret" --redis "$url" --trusted-proxies 127.0.0.1 >"$dir/node-$node.log" 2>&1 &
    pids+=($!)
    echo "node $node: pid $!, ws://127.0.0.1:$((front + node))/ws"
done

cat >"$dir/haproxy.cfg" <<CONFIG
defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s
    timeout tunnel 1h
    option forwardfor
frontend public
    bind 127.0.0.1:$front
    default_backend nodes
backend nodes
    balance roundrobin
    option httpchk GET /readyz
    http-check send hdr Host 127.0.0.1
    server node-1 127.0.0.1:$((front + 1)) check port $((front + 101)) inter 1s
    server node-2 127.0.0.1:$((front + 2)) check port $((front + 102)) inter 1s
CONFIG
"$haproxy" -f "$dir/haproxy.cfg" -db >"$dir/haproxy.log" 2>&1 &
pids+=($!)

for node in 1 2; do
    ready=no
    for _ in $(seq 100); do
        curl -sf "http://127.0.0.1:$((front + 100 + node))/readyz" >/dev/null && ready=yes && break
        sleep 0.1
    done
    [ "$ready" = yes ] || fail "node $node is not ready; see $dir/node-$node.log"
done
key=$("$t2b" keys issue alice --secrets-file "$dir/secret" --redis "$url")
cat <<TEXT

The cluster is up. haproxy listens on ws://127.0.0.1:$front/ws and gives each socket to the next node.
Try this in other terminals:

  export T2B_KEY=$key
  $t2b bot echo --id bot_echo --url ws://127.0.0.1:$front/ws       a bot, on one of the nodes
  $t2b chat bot_echo --text hello --url ws://127.0.0.1:$((front + 1))/ws   its owner on node 1
  $t2b chat bot_echo --text hello --url ws://127.0.0.1:$((front + 2))/ws   its owner on node 2
  T2B_STATE_DIR=$dir/node-1 $t2b gateway status --admin-listen 127.0.0.1:$((front + 101))

Then kill the bot's node by its pid: the bot reconnects to the other one. Or run the bot a second time,
on the other node: the first one is replaced and says so.
Ctrl-C ends all of it.
TEXT
wait
