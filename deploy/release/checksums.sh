#!/usr/bin/env bash
# Writes dist/SHA256SUMS of the archives of a release, and removes what only the image needs.
#
# Usage: deploy/release/checksums.sh
set -euo pipefail
cd "$(dirname "$0")/../../dist"

rm -f rootfs-*.tar.gz
sha256sum t2b-*.tar.gz >SHA256SUMS
