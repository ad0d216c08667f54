#!/usr/bin/env bash
# Does what can be done of a release without GitHub: reads the workflow, builds a program with its list of
# dependencies, packs it twice, compares, checks the checksums, and packs the chart. Needs what
# `scripts/tools.sh release` installs.
#
# Usage: deploy/release/check.sh
set -euo pipefail
cd "$(dirname "$0")/../.."

fail() { printf 'release: %s\n' "$1" >&2; exit 1; }
work=$(mktemp -d)
trap 'rm -rf "$work" dist' EXIT
[ ! -e dist ] || fail "dist/ exists: it is written here and removed"

.cache/release/bin/zizmor --offline --quiet --no-progress .github/workflows >"$work/zizmor" || fail "$(cat "$work/zizmor")"
# Every script that the workflow runs is there.
for script in $(grep -o 'deploy/release/[a-z]*\.sh' .github/workflows/release.yml | sort -u); do
    [ -x "$script" ] || fail "$script is not a program"
    bash -n "$script"
done
echo "release: zizmor has no remark on the workflows"

version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
target=$(rustc -vV | sed -n 's/^host: //p')
PATH=$PWD/.cache/tools/bin:$PATH CARGO_FEATURES=--no-default-features \
    deploy/release/build.sh "$target" "$version" quick
cp "dist/t2b-$version-$target.tar.gz" "$work/first.tar.gz"
program=${CARGO_TARGET_DIR:-target}/quick/t2b
touch "$program"
deploy/release/pack.sh "$program" "$target" "$version"
cmp "$work/first.tar.gz" "dist/t2b-$version-$target.tar.gz" || fail "packed twice, and not the same"
! deploy/release/pack.sh "$program" "$target" 99.0.0 2>/dev/null || fail "a wrong version was packed"
deploy/release/checksums.sh
(cd dist && sha256sum --check --quiet --strict SHA256SUMS)
[ "$(ls dist)" = "$(printf 'SHA256SUMS\nt2b-%s-%s.tar.gz' "$version" "$target")" ] || fail "in dist: $(ls dist)"
tar -xzf "$work/first.tar.gz" -C "$work"
packed=$work/t2b-$version-$target
[ -s "$packed/man/t2b-gateway-run.1" ] && [ -s "$packed/completions/t2b.bash" ] || fail "man pages or completions are missing"

# The list that scanners of images read: compressed JSON in a section of its own.
objcopy --dump-section .dep-v0="$work/list" "$packed/t2b" /dev/null
python3 - "$work/list" <<'PYTHON'
import json, sys, zlib

with open(sys.argv[1], "rb") as file:
    names = {package["name"] for package in json.loads(zlib.decompress(file.read()))["packages"]}
missing = {"gateway", "rustls", "tokio"} - names
sys.exit(f"release: not in the list: {missing}" if missing else None)
PYTHON
echo "release: $(du -m "$work/first.tar.gz" | cut -f1) MB, twice the same, with the list of its dependencies"

if [ -d helm/t2b ]; then
    .cache/helm/helm package helm/t2b --version "$version" --app-version "$version" --destination "$work" >/dev/null
    .cache/helm/helm show chart "$work/t2b-$version.tgz" | grep -qx "appVersion: $version" || fail "the chart has another version"
    echo "release: the chart is packed as t2b-$version.tgz"
fi
