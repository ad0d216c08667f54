#!/usr/bin/env bash
# Packs a program for a release: dist/t2b-VERSION-TARGET.tar.gz, with the licences, man pages and completions. The same
# program always gives the same bytes.
#
# Usage: deploy/release/pack.sh PROGRAM TARGET VERSION
set -euo pipefail
cd "$(dirname "$0")/../.."

program=$1 target=$2 version=$3
fail() { printf 'pack: %s\n' "$1" >&2; exit 1; }
said=$("$program" --version)
case $said in
    "t2b $version" | "t2b $version "*) ;;
    *) fail "the program says $said, the release is $version" ;;
esac
name=t2b-$version-$target
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/$name/man" "$work/$name/completions" dist
cp "$program" "$work/$name/t2b"
cp LICENSE-APACHE LICENSE-MIT README.md CHANGELOG.md deploy/systemd/t2b.service "$work/$name/"
"$program" man "$work/$name/man" >/dev/null
for shell in bash fish zsh; do
    "$program" completions "$shell" >"$work/$name/completions/t2b.$shell"
done
# The tar of each system has other words for this.
python3 - "$work" "$name" "dist/$name.tar.gz" <<'PYTHON'
import gzip, os, sys, tarfile

work, name, archive = sys.argv[1:]


def plain(entry):
    """Without what differs between machines."""
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    entry.mode = 0o755 if os.path.basename(entry.name) == "t2b" else 0o644
    return entry


with open(archive, "wb") as file, gzip.GzipFile("", "wb", mtime=0, fileobj=file) as packed:
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for folder, folders, files in os.walk(os.path.join(work, name)):
            folders.sort()
            for path in (os.path.join(folder, file) for file in sorted(files)):
                tar.add(path, os.path.relpath(path, work), filter=plain)
PYTHON
echo "pack: dist/$name.tar.gz"
