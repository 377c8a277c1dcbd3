#!/usr/bin/env bash
# Runs the smoke test on both forms of a program as they are shipped: smoke.sh PYTHON DIST
set -euo pipefail
cd "$(dirname "$0")/../.."

python=$1 dist=$2
work=$(mktemp -d)
# Programs of Windows know no path of Git's shell.
if command -v cygpath > /dev/null; then work=$(cygpath --mixed "$work"); fi
trap 'rm -rf "$work"' EXIT

for file in "$dist"/fairlead-*; do
  case $file in
    *.json) ;;
    *.tar.xz | *.zip)
      "$python" -c 'import shutil, sys; shutil.unpack_archive(sys.argv[1], sys.argv[2])' "$file" "$work"
      for program in "$work"/fairlead/fairlead*; do "$python" build/smoke.py "$program"; done
      ;;
    *)
      # An artifact of a workflow keeps no mode.
      chmod +x "$file"
      "$python" build/smoke.py "$file"
      ;;
  esac
done
