#!/bin/sh
# Deletes everything in this folder but what cargo needs to build the dependencies of the workspace: the manifests,
# the lock file, and a source without content for each target. For a stage of deploy/Dockerfile.
set -eu

[ -f Cargo.lock ] || { echo "only-manifests: not the root of the workspace" >&2; exit 1; }
targets=$(find . -type f -regextype posix-extended \
    -regex '\./[^/]+/(build|src/lib|src/main|(benches|examples|tests)/[^/]+|tests/[^/]+/main)\.rs')
find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path './.cargo/*' -delete
for file in $targets; do
    case $file in
        */lib.rs) : >"$file" ;;
        *) echo 'fn main() {}' >"$file" ;;
    esac
done
find . -type d -empty -delete
