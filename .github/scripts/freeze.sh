#!/usr/bin/env bash
# Builds one system's programs from hashed locks with the interpreter that releases have:
#   freeze.sh PYTHON OUT [option of build/build.py]…
# PYTHON only installs uv by its lock; uv brings the interpreter, whose hash it knows.
set -euo pipefail
cd "$(dirname "$0")/../.."

bootstrap=$1 out=$2
shift 2
interpreter=$(grep -v '^#' .github/python-version)
work=$(mktemp -d)
# Programs of Windows know no path of Git's shell.
if command -v cygpath > /dev/null; then work=$(cygpath --mixed "$work"); fi
trap 'rm -rf "$work"' EXIT

inside() { # inside VENV NAME: a program of a virtual environment
  if [ -d "$1/Scripts" ]; then printf '%s/Scripts/%s' "$1" "$2"; else printf '%s/bin/%s' "$1" "$2"; fi
}

"$bootstrap" -m venv "$work/tools"
"$(inside "$work/tools" python)" -m pip install --quiet --disable-pip-version-check --no-cache-dir \
  --require-hashes -r build/locks/lock.txt
uv=$(inside "$work/tools" uv)

export UV_PYTHON_INSTALL_DIR="$work/pythons" UV_PYTHON_PREFERENCE=only-managed UV_NO_CACHE=1 UV_NO_CONFIG=1
"$uv" python install --no-bin "$interpreter"
"$uv" venv --python "$interpreter" "$work/build"
python=$(inside "$work/build" python)
"$uv" pip install --python "$python" --require-hashes -r build/locks/build.txt
"$uv" pip install --python "$python" --no-deps --no-build-isolation .
"$python" -VV
"$python" build/build.py --out "$out" "$@"
