#!/usr/bin/env bash
# Unpacks the relays of others that benches/ measures beside the gateway, as Debian builds them, into
# .cache/peers/. Nothing is installed or started, so no root is needed. Where Debian's packages cannot
# be fetched it says so, and the comparisons with them are skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

dir=.cache/peers
packages=(nats-server mosquitto libmosquitto1 libcjson1 libdlt2 libwrap0)

runs() { LD_LIBRARY_PATH="$dir/lib" "$dir/usr/sbin/$1" "$2" >/dev/null 2>&1; }
works() { runs nats-server --version && { runs mosquitto -h || [ $? = 3 ]; }; }

works && exit 0
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || {
    echo "peers: no Debian here; the comparisons with nats-server and mosquitto are skipped" >&2
    exit 0
}
rm -rf "$dir"
mkdir -p "$dir/packages" "$dir/lib"
if ! (cd "$dir/packages" && apt-get download -q "${packages[@]}" 2>&1); then
    echo "peers: apt-get cannot fetch ${packages[*]}; those comparisons are skipped" >&2
    exit 0
fi
for package in "$dir"/packages/*.deb; do
    dpkg-deb -x "$package" "$dir"
done
rm -rf "$dir/packages"
find "$dir/usr/lib" "$dir/lib" -name '*.so*' -exec cp -Pn -t "$dir/lib" {} + 2>/dev/null || true
works || echo "peers: nats-server or mosquitto does not run here; comparisons with it are skipped" >&2
