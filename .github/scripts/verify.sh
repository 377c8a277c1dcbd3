#!/usr/bin/env bash
# Checks a downloaded release: its sums, the signature of release.json by a key that the program knows, and for each file
# the attestation that build.yml of this repository made it from this tag, on a runner of GitHub's: verify.sh FOLDER
# Environment: GITHUB_REPOSITORY, TAG, GH_TOKEN.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$1
(
  cd "$folder"
  if command -v sha256sum > /dev/null; then sha256sum --check --quiet SHA256SUMS; else shasum -a 256 --check --quiet SHA256SUMS; fi
  for file in *; do
    # Made after the build, and covered otherwise: the sums, the signature of release.json, and the bundles themselves.
    case $file in SHA256SUMS | *.minisig | *.sigstore.json) continue ;; esac
    gh attestation verify "$file" --repo "$GITHUB_REPOSITORY" \
      --signer-workflow "$GITHUB_REPOSITORY/.github/workflows/build.yml" \
      --source-ref "refs/tags/$TAG" --deny-self-hosted-runners > /dev/null
    grep -q "  $file\$" SHA256SUMS || { echo "SHA256SUMS does not name $file" >&2; exit 1; }
  done
)
work=$(mktemp -d)
# Programs of Windows know no path of Git's shell.
if command -v cygpath > /dev/null; then work=$(cygpath --mixed "$work"); fi
trap 'rm -rf "$work"' EXIT
python -m venv "$work/venv"
python=$work/venv/bin/python
[ -x "$python" ] || python=$work/venv/Scripts/python
"$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r build/locks/runtime.txt
"$python" packaging/release.py verify "$folder/release.json"
