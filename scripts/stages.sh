#!/usr/bin/env bash
# Runs make targets in order, prints how long each took, and stops at the first that fails. Targets that
# are joined by `+` run beside each other; the output of each is printed when it ends.
#
# Usage: scripts/stages.sh TARGET[+TARGET...]...
set -euo pipefail
# Each stage that runs beside others is a process group, to be stopped as a whole.
set -m

lines=$(mktemp)
groups=()
report() {
    for group in "${groups[@]}"; do kill -TERM -- "-$group" 2>/dev/null || true; done
    printf '\n'
    cat "$lines"
    printf '%-16s %5d s  in all\n' "" "$SECONDS"
    rm -f "$lines"
}
trap report EXIT
trap 'exit 130' INT TERM

# Runs one stage, and adds its line to the report.
run() {
    local began=$SECONDS outcome=ok
    "${MAKE:-make}" --no-print-directory "$1" || outcome=FAILED
    printf '%-16s %5d s  %s\n' "$1" "$((SECONDS - began))" "$outcome" >>"$lines"
    [ "$outcome" = ok ]
}

# As `run`, and prints the output at the end.
run_beside() {
    local output outcome=0
    output=$(run "$1" 2>&1) || outcome=1
    printf '\n==> %s\n%s\n' "$1" "$output"
    return "$outcome"
}

for word in "$@"; do
    IFS=+ read -ra stages <<<"$word"
    if [ ${#stages[@]} = 1 ]; then
        printf '\n==> %s\n' "$word"
        run "$word" || exit 1
        continue
    fi
    printf '\n==> %s: beside each other\n' "${stages[*]}"
    for stage in "${stages[@]}"; do
        run_beside "$stage" </dev/null &
        groups+=($!)
    done
    failed=0
    for group in "${groups[@]}"; do wait "$group" || failed=1; done
    groups=()
    [ "$failed" = 0 ] || exit 1
done
