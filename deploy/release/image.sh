#!/usr/bin/env bash
# Builds the image from the packed programs of a release, for both processors, and pushes it. Needs docker with
# buildx, and dist/ as deploy/release/pack.sh writes it. Prints `digest=…` for the next step of the workflow.
#
# Usage: deploy/release/image.sh IMAGE VERSION COMMIT
set -euo pipefail
cd "$(dirname "$0")/../.."

image=$1 version=$2 commit=$3
digests=()
for pair in x86_64-unknown-linux-gnu:amd64 aarch64-unknown-linux-gnu:arm64; do
    target=${pair%:*} processor=${pair#*:}
    context=$(mktemp -d)
    # The libraries of the machine that built the program, which are packed beside it.
    tar -xzf "dist/rootfs-$version-$target.tar.gz" -C "$context"
    docker buildx build --platform "linux/$processor" --file deploy/Dockerfile --provenance false \
        --build-arg ROOTFS=prebuilt --build-arg VERSION="$version" --build-arg REVISION="$commit" \
        --output "type=image,name=$image,push-by-digest=true,name-canonical=true,push=true" \
        --metadata-file "$context/metadata" "$context"
    digests+=("$image@$(jq -r '."containerimage.digest"' "$context/metadata")")
    rm -rf "$context"
done
docker buildx imagetools create --tag "$image:$version" --tag "$image:latest" "${digests[@]}"
digest=$(docker buildx imagetools inspect "$image:$version" --format '{{json .Manifest}}' | jq -r .digest)
echo "digest=$digest" >>"${GITHUB_OUTPUT:-/dev/stdout}"
