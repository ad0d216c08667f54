#!/bin/sh
# Plants each bug of simulation/bugs in a copy of the tree, and counts the seeds that catch it.
#
# One argument: how many seeds each bug gets. Prints a row a bug; fails if one is never caught.
set -eu
seeds="${1:-600}"
root="$(cd "$(dirname "$0")/.." && pwd)"
copy="$(mktemp -d)"
trap 'rm -rf "$copy"' EXIT
git -C "$root" archive HEAD Cargo.toml Cargo.lock backplane benches cli client fixtures gateway loadtest \
    protocol router-core simulation xtask | tar -x -C "$copy"
export CARGO_TARGET_DIR="${SIMULATE_BUGS_TARGET:-$root/target/bugs}"
missed=0
echo "| bug | first seed that catches it | caught by | of | by |"
echo "| --- | --- | --- | --- | --- |"
for patch in "$root"/simulation/bugs/*.patch; do
    name="$(basename "$patch" .patch)"
    (cd "$copy" && patch -s -p1 <"$patch")
    cargo build -q --locked --profile simulate -p simulation --manifest-path "$copy/Cargo.toml"
    row="$("$CARGO_TARGET_DIR/simulate/simulate" --seeds "0..$seeds" --row || true)"
    echo "| $name | $row |"
    case "$row" in "never"*) missed=1 ;; esac
    (cd "$copy" && patch -s -R -p1 <"$patch")
    # cargo looks at times: what went back to older text must look new.
    find "$copy/router-core/src" -name '*.rs' -exec touch {} +
done
exit "$missed"
