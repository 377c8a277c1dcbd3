#!/usr/bin/env bash
# From the built programs in DIST to all that a release holds: describe.sh DIST CHANNELS
# release.json is signed by the job that holds the key; here a key of this moment signs it, and the signature is dropped.
set -euo pipefail
cd "$(dirname "$0")/../.."

dist=$1 channels=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python -m venv "$work/venv"
python="$work/venv/bin/python"
"$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r build/locks/build.txt
"$python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation .

version=$("$python" -c 'import router; print(router.__version__)')
chmod +x "$dist"/fairlead-*
"$python" build/sbom.py merge -o "$work/merged.cdx.json" "$dist"/*.cdx.json
"$python" build/sbom.py check "$work/merged.cdx.json"
rm "$dist"/*.cdx.json
cp "$work/merged.cdx.json" "$dist/fairlead-$version.cdx.json"

FAIRLEAD_RELEASE_PASSWORD=$(openssl rand -hex 16)
export FAIRLEAD_RELEASE_PASSWORD
"$python" packaging/release.py new-key "$work/throw-away.key"
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH
"$python" packaging/release.py "$dist" --version "$version" --key "$work/throw-away.key"
rm "$dist/release.json.minisig"

"$python" packaging/channels.py "$dist/release.json" --out "$channels"
cp "$channels"/release/* "$dist/"
rm -r "$channels/release" "$dist/SHA256SUMS"
