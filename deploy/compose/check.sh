#!/usr/bin/env bash
# Checks deploy/compose.yaml without a registry: its form, what it names, each configuration file by the program that
# reads it. Then runs all of it but Grafana, with images made from the programs of this machine, in a network namespace
# of its own. Needs root and what `scripts/tools.sh redis prometheus haproxy compose` installs.
#
# Usage: deploy/compose/check.sh T2B
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -z "${COMPOSE_NAMESPACE:-}" ]; then
    COMPOSE_NAMESPACE=1 exec unshare --net --fork --kill-child -- "$PWD/deploy/compose/check.sh" "$@"
fi
ip link set lo up

t2b=$(realpath "$1")
dir=$PWD/.cache/image
python=$PWD/.cache/compose/bin/python
redis=$PWD/.cache/redis/redis-server
prometheus=$PWD/.cache/prometheus
haproxy=$(command -v haproxy || echo /usr/sbin/haproxy)
work=$(mktemp -d)
fail() { printf 'compose: %s\n' "$1" >&2; exit 1; }
# The settings and the images of deploy/image/check.sh.
export CONTAINERS_CONF=$dir/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
cat >"$CONTAINERS_STORAGE_CONF" <<CONF
[storage]
driver = "overlay"
graphroot = "$dir/storage"
runroot = "$dir/run"
CONF
compose() {
    (cd "$work/deploy" && "$python" -m podman_compose --in-pod false "$@") >>"$work/compose.log" 2>&1
}
pids=()
end() {
    status=$?
    trap - EXIT INT TERM
    [ $status = 0 ] || tail -n 20 "$work"/*.log 2>/dev/null || true
    [ ${#pids[@]} -eq 0 ] || kill "${pids[@]}" 2>/dev/null || true
    [ ! -e "$work/deploy/compose.yaml" ] || compose down --volumes --timeout 5 || true
    rm -rf "$work"
    exit $status
}
trap end EXIT INT TERM

# A copy, because prepare.sh writes beside the file.
git ls-files --cached --others --exclude-standard deploy | tar -cf - -T - | tar -xf - -C "$work"
place=$work/deploy
"$place/compose/prepare.sh" >/dev/null
same=$(md5sum "$place"/compose/secrets/*)
"$place/compose/prepare.sh" >/dev/null
[ "$(md5sum "$place"/compose/secrets/*)" = "$same" ] || fail "prepare.sh replaced a secret"

"$python" deploy/compose/check.py "$place/compose.yaml" gateway-1 >"$work/environment"
sed "s|/run/secrets/|$place/compose/secrets/|" "$work/environment" >"$work/environment-here"
env -i $(cat "$work/environment-here") "$t2b" gateway config --listen 0.0.0.0:3000 >"$work/config"
grep -q '^trusted_proxies.*10.77.0.10' "$work/config" || fail "the gateway has no trusted proxy"
sed "s|/etc/t2b/tls|$place/compose/secrets|" "$place/balancers/haproxy.cfg" >"$work/haproxy.cfg"
"$haproxy" -c -q -f "$work/haproxy.cfg"
sed "s|/etc/prometheus|$place/prometheus|" "$place/compose/prometheus.yml" >"$work/prometheus.yml"
"$prometheus/promtool" check config "$work/prometheus.yml" >/dev/null
rights=$(sed -n 's/^user t2b on #PASSWORD_SHA256 //p' deploy/valkey/users.acl)
documented=$(sed -n 's/^ *ACL SETUSER t2b reset on >PASSWORD //p' docs/guarantees.md)
[ "$rights" = "$documented" ] || fail "users.acl has other rights than docs/guarantees.md, whose rights the tests check"
echo "compose: the form, the files and the configurations are right"

# An image of a program of this machine: its libraries and what else it needs.
image() {
    local name=$1 program=$2 entry=$3
    rm -rf "$work/context"
    deploy/image/rootfs.sh "$(realpath "$program")" "$work/context/rootfs"
    printf 'FROM localhost/t2b-base\nCOPY rootfs /\n%s\n' "$entry" >"$work/context/Dockerfile"
    podman build --quiet --tag "$name" "$work/context" >/dev/null
}
podman image exists localhost/t2b-base || fail "run deploy/image/check.sh first"
podman tag localhost/t2b:first localhost/t2b
names=$(sed -n 's/^ *image: *//p' "$place/compose.yaml")
named() { echo "$names" | grep "/$1:"; }
image "$(named haproxy)" "$haproxy" \
    'ENTRYPOINT ["/t2b", "-W", "-db", "-f", "/usr/local/etc/haproxy/haproxy.cfg"]'
image "$(named valkey)" "$redis" 'RUN ["/t2b", "--version"]
ENTRYPOINT ["/t2b"]'
image "$(named prometheus)" "$prometheus/prometheus" \
    'ENTRYPOINT ["/t2b", "--config.file=/etc/prometheus/prometheus.yml", "--storage.tsdb.path=/prometheus"]'
# The stand-in for valkey has no shell to take the name of the program away. The limits of this machine may be lower.
sed -i -e 's/command: \[valkey-server, /command: [/' -e '/^  ulimits:/,+1d' -e '/^  build:/,+2d' "$place/compose.yaml"
export T2B_PORT=8443
compose up --detach --no-build haproxy gateway-1 gateway-2 valkey prometheus

export SSL_CERT_FILE=$place/compose/secrets/tls.crt T2B_STATE_DIR=$work/state
T2B_KEY=$("$t2b" keys issue alice --secrets-file "$place/compose/secrets/secrets")
export T2B_KEY
# Waits until a command succeeds.
until_ok() {
    local what=$1
    shift
    for _ in $(seq 300); do
        if "$@" >"$work/last.log" 2>&1; then return; fi
        sleep 0.1
    done
    fail "not within 30 s: $what"
}
site=localhost:$T2B_PORT
bots() { curl -sf --cacert "$SSL_CERT_FILE" -H "Authorization: Bearer $T2B_KEY" "https://$site/v1/bots"; }
until_ok "haproxy passes requests on" bots
"$t2b" bot echo --id bot_x --url "wss://$site/ws" >"$work/bot.log" 2>&1 &
pids+=($!)
talk() { [ "$("$t2b" chat bot_x --url "wss://$site/ws" --text hello --wait 5s)" = hello ]; }
until_ok "the bot answers" talk
nodes() { podman exec t2b_gateway-1_1 /t2b gateway status | tee "$work/status.log" | grep -q '^node .* live '; }
until_ok "gateway-1 knows gateway-2" nodes
targets() {
    curl -sf http://127.0.0.1:9090/api/v1/targets | tee "$work/targets.log" | grep -o '"health":"up"' | wc -l | grep -qx 4
}
until_ok "Prometheus reads all targets" targets
rules=$(curl -sf http://127.0.0.1:9090/api/v1/rules | grep -o '"type":"alerting"' | wc -l)
[ "$rules" -gt 10 ] || fail "Prometheus has $rules alerts"
echo "compose: a bot answers through haproxy; the gateways know each other; Prometheus reads 4 targets and $rules alerts"

compose stop --timeout 70 gateway-1
code=$(podman inspect --format '{{.State.ExitCode}}' t2b_gateway-1_1)
[ "$code" = 0 ] || fail "gateway-1 ended with $code"
until_ok "the bot answers on the other gateway" talk
echo "compose: gateway-1 ended with 0, and the bot answers through gateway-2"

# A gateway that finds the primary by the Sentinel example, each with the rights that the files name.
mkdir "$work/primary" "$work/sentinel"
password=$(sed -n 's|.*//t2b:\(.*\)@.*|\1|p' "$place/compose/secrets/redis-url")
{
    cat "$place/compose/secrets/users.acl"
    sed -n 's/^#   \(user [a-z]* on >.*\)/\1/p' "$place/valkey/sentinel.conf"
} >"$work/primary/users.acl"
sed -e "s|^dir .*|dir $work/primary|" -e "s|^aclfile .*|aclfile $work/primary/users.acl|" "$place/valkey/valkey.conf" \
    >"$work/primary/valkey.conf"
sed -e "s|^dir .*|dir $work/sentinel|" -e 's/monitor t2b 10.77.0.31 6379 2/monitor t2b 127.0.0.1 6379 1/' \
    "$place/valkey/sentinel.conf" >"$work/sentinel/sentinel.conf"
"$redis" "$work/primary/valkey.conf" >"$work/primary.log" 2>&1 &
pids+=($!)
"$redis" "$work/sentinel/sentinel.conf" --sentinel >"$work/sentinel.log" 2>&1 &
pids+=($!)
T2B_SECRETS_FILE=$place/compose/secrets/secrets T2B_REDIS_URL=redis+sentinel://t2b:$password@127.0.0.1:26379/t2b \
    "$t2b" gateway run >"$work/gateway.log" 2>&1 &
pids+=($!)
until_ok "the gateway finds the primary" curl -sf http://127.0.0.1:9464/readyz
# `info-refresh` is 0 until the primary has answered INFO.
refreshed() {
    "$python" -c 'import socket, sys
peer = socket.create_connection(("127.0.0.1", 26379), 2)
peer.sendall(b"SENTINEL master t2b\r\n")
words = peer.recv(65536).split(b"\r\n")
sys.exit(words[words.index(b"info-refresh") + 2] == b"0")'
}
until_ok "Sentinel may ask the primary" refreshed
echo "compose: a gateway finds the primary by the Sentinel example"
