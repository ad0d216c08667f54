#!/usr/bin/env bash
# Builds the image of deploy/Dockerfile around a given program, on a base of its own, without a registry, and
# checks it. Needs what `scripts/tools.sh image` installs.
#
# Usage: deploy/image/check.sh T2B
set -euo pipefail
cd "$(dirname "$0")/../.."

most_mb=40
dir=$PWD/.cache/image
work=$(mktemp -d)
containers=()
podman() { command podman --root "$dir/storage" --runroot "$dir/run" --log-level error "$@"; }
end() {
    trap - EXIT INT TERM
    [ ${#containers[@]} -eq 0 ] || podman rm --force --time 0 "${containers[@]}" >/dev/null 2>&1 || true
    rm -rf "$work"
}
trap end EXIT INT TERM
fail() { printf 'image: %s\n' "$1" >&2; exit 1; }
# Fails unless the words $2 and $3 are the same.
same() { [ "$2" = "$3" ] || fail "$1: $2, expected $3"; }

export CONTAINERS_CONF=$dir/containers.conf
mkdir -p "$dir"
cat >"$CONTAINERS_CONF" <<CONF
[containers]
# The default asks for more than the hard limit of some machines.
default_ulimits = ["nofile=$(ulimit -Hn):$(ulimit -Hn)", "nproc=4096:4096"]
[engine]
# crun refuses machines that have both versions of cgroups.
runtime = "runc"
cgroup_manager = "cgroupfs"
CONF

"$dir/python/bin/hadolint" --failure-threshold style deploy/Dockerfile
echo "image: hadolint has no remark"

# The stage `manifests`, with what the context has: cargo finds a target and a version for everything in them.
mkdir -p "$work/manifests"
git ls-files --cached --others --exclude-standard $(sed -n 's/^!//p' .dockerignore) | tar -cf - -T - | tar -xf - -C "$work/manifests"
(cd "$work/manifests" && deploy/image/only-manifests.sh && cargo tree --locked --offline --quiet -p cli >/dev/null)

# The stand-in for the distroless base: certificates and time zones, nothing that runs.
if ! podman image exists localhost/t2b-base; then
    mkdir -p "$work/debs" "$work/unpacked" "$work/base/etc/ssl/certs" "$work/base/usr/share"
    (cd "$work/debs" && apt-get download -q ca-certificates tzdata >/dev/null 2>&1)
    for deb in "$work"/debs/*.deb; do dpkg-deb -x "$deb" "$work/unpacked"; done
    cat "$work"/unpacked/usr/share/ca-certificates/mozilla/*.crt >"$work/base/etc/ssl/certs/ca-certificates.crt"
    mv "$work/unpacked/usr/share/zoneinfo" "$work/base/usr/share/"
    tar -cf "$work/base.tar" -C "$work/base" .
    podman import "$work/base.tar" localhost/t2b-base >/dev/null 2>&1
fi

strip -o "$work/t2b" "$1"
deploy/image/rootfs.sh "$work/t2b" "$work/context/rootfs"
for name in first second; do
    podman build --quiet --format docker --timestamp 0 --no-cache --file deploy/Dockerfile --tag "localhost/t2b:$name" \
        --build-arg BASE=localhost/t2b-base --build-arg ROOTFS=prebuilt --build-arg REVISION="$(git rev-parse HEAD)" \
        "$work/context" >/dev/null
done
# The layers and the configuration. buildah 1.28 also writes the random names of its steps into the history.
content() { podman image inspect --format '{{.RootFS.Layers}} {{json .Config}}' "$1"; }
same "the second build" "$(content localhost/t2b:second)" "$(content localhost/t2b:first)"
image=$(podman image inspect --format '{{.Id}}' localhost/t2b:first)

asked() { podman image inspect --format "$1" "$image"; }
mb=$(($(asked '{{.Size}}') / 1000000))
[ "$mb" -le "$most_mb" ] || fail "$mb MB, at most $most_mb"
same "the user" "$(asked '{{.Config.User}}')" 65532:65532
same "the entry point" "$(asked '{{.Config.Entrypoint}}')" "[/t2b]"
same "the revision" "$(asked '{{index .Labels "org.opencontainers.image.revision"}}')" "$(git rev-parse HEAD)"
same "the health check" "$(asked '{{.HealthCheck.Test}}')" "[CMD /t2b gateway status --quiet]"
echo "image: $mb MB, twice the same, ${image:0:12}"

# No shell, no package manager, nothing that runs as another user.
root=$(podman image mount "$image")
shells=$(find "$root" -type f \( -name sh -o -name '*bash' -o -name dash -o -name busybox -o -name 'apt*' \
    -o -perm /6000 \) -perm /111 -printf '%P ')
podman image unmount "$image" >/dev/null
same "programs of others" "$shells" ""

(umask 022 && mkdir "$work/secrets")
"$1" keys secret >"$work/secrets/secrets"
"$1" keys secret | head -c 40 >"$work/secrets/admin-token"
chmod 0444 "$work"/secrets/*

# The command of the health check succeeds. The rest is as the policy "restricted" of Kubernetes: a read-only root, no
# capability, no new privileges, no network; once as the user of the image, once as a user that no file knows.
for user in 65532:65532 1000650000:0; do
    container=$(podman run --detach --no-healthcheck --read-only --read-only-tmpfs=false --cap-drop ALL --network none \
        --security-opt no-new-privileges --user "$user" --memory 256m --volume "$work/secrets:/secrets:ro" \
        --env T2B_SECRETS_FILE=/secrets/secrets --env T2B_ADMIN_TOKEN_FILE=/secrets/admin-token "$image")
    containers+=("$container")
    serves=
    for _ in $(seq 100); do
        if podman exec "$container" /t2b gateway status --quiet >"$work/status" 2>&1; then
            serves=yes
            break
        fi
        sleep 0.1
    done
    [ -n "$serves" ] || fail "no answer: $(cat "$work/status"); $(podman logs "$container" 2>&1 | tail -n 5)"
    status=/proc/$(podman inspect --format '{{.State.Pid}}' "$container")/status
    value() { awk -v name="$1:" '$1 == name { print $2 }' "$status"; }
    same "the uid" "$(value Uid)" "${user%:*}"
    same "capabilities" "$(value CapEff)$(value CapBnd)" 00000000000000000000000000000000
    same "no new privileges" "$(value NoNewPrivs)" 1
    same "the system call filter" "$(value Seccomp)" 2
    podman stop --time 20 "$container" >/dev/null
    same "the exit code after SIGTERM" "$(podman inspect --format '{{.State.ExitCode}}' "$container")" 0
    echo "image: serves as $user, read-only, without capabilities and network; ends with 0"
done
