#!/usr/bin/env bash
# Builds the commit that simulation/previous-release names, in a git worktree and a target folder of its
# own in .cache/previous/, and prints the path of its t2b. Fails if a golden vector of the wire differs
# from that commit's: those of a wire version are kept for good.
set -euo pipefail
cd "$(dirname "$0")/.."

fail() { printf 'previous: %s\n' "$1" >&2; exit 1; }

commit=$(grep -v '^#' simulation/previous-release)
git cat-file -e "$commit^{commit}" 2>/dev/null || git fetch -q --depth 1 origin "$commit" ||
    fail "commit $commit is not in this clone and cannot be fetched"

mapfile -t vectors < <(git ls-tree --name-only "$commit" protocol/tests/vectors/ | grep '/wire_v')
git diff --quiet "$commit" -- "${vectors[@]}" ||
    fail "a vector of a released wire version has changed: ${vectors[*]}; what changes bytes is a new version"

tree=.cache/previous/tree
if [ ! -e "$tree/Cargo.toml" ]; then
    git worktree prune
    git worktree add -q --detach "$tree" "$commit"
else
    git -C "$tree" checkout -q --detach "$commit"
fi
export CARGO_TARGET_DIR="$PWD/.cache/previous/target"
(cd "$tree" && cargo build -q --locked --profile quick -p cli --bin t2b) >&2
echo "$CARGO_TARGET_DIR/quick/t2b"
