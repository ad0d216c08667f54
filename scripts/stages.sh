#!/usr/bin/env bash
# Runs make targets one after the other, prints how long each took, and stops at the first that
# fails. Usage: scripts/stages.sh TARGET...
set -euo pipefail

summary=""
report() { printf '\n%s' "$summary"; printf '%-12s %5d s  in all\n' "" "$SECONDS"; }
trap report EXIT

for stage in "$@"; do
    printf '\n==> %s\n' "$stage"
    began=$SECONDS
    if "${MAKE:-make}" --no-print-directory "$stage"; then outcome=ok; else outcome=FAILED; fi
    summary+=$(printf '%-12s %5d s  %s' "$stage" "$((SECONDS - began))" "$outcome")$'\n'
    [ "$outcome" = ok ] || exit 1
done
