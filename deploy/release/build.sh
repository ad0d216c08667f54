#!/usr/bin/env bash
# Builds the program of a release, with the list of its dependencies in it, and packs it. On Linux it also packs what
# the image needs. Needs cargo-auditable.
#
# Usage: deploy/release/build.sh TARGET VERSION [PROFILE]
set -euo pipefail
cd "$(dirname "$0")/../.."

target=$1 version=$2 profile=${3:-release}
export CARGO_PROFILE_RELEASE_STRIP=symbols
cargo auditable build --locked --profile "$profile" -p cli --bin t2b ${CARGO_FEATURES:-}
program=${CARGO_TARGET_DIR:-target}/$profile/t2b
deploy/release/pack.sh "$program" "$target" "$version"
case $target in
    *-linux-*)
        work=$(mktemp -d)
        trap 'rm -rf "$work"' EXIT
        deploy/image/rootfs.sh "$program" "$work/rootfs"
        tar -czf "dist/rootfs-$version-$target.tar.gz" -C "$work" rootfs
        ;;
esac
