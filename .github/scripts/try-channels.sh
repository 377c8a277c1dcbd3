#!/usr/bin/env bash
# Installs a release by every channel of this system and runs the demo of each: try-channels.sh FOLDER PACKAGES
# FOLDER holds the release's files. They are served on this machine's own address, as those of a draft are not public.
# PACKAGES holds the wheel that PyPI gets.
# For a clean machine that is thrown away: it installs packages and leaves them.
set -euo pipefail
cd "$(dirname "$0")/../.."

folder=$(cd "$1" && pwd) packages=$(cd "$2" && pwd)
# On Windows a program's lines end with CR LF, of which the shell takes off one half.
version=$(python -c 'import json, sys; print(json.load(open(sys.argv[1]))["version"])' "$folder/release.json" | tr -d '\r')
work=$(mktemp -d)
# Programs of Windows know no path of Git's shell.
if command -v cygpath > /dev/null; then work=$(cygpath --mixed "$work"); fi
site=$work/site
mkdir -p "$site/latest" "$site/download"
cp -R "$folder" "$site/latest/download"
cp -R "$folder" "$site/download/v$version"
port=8099
python -m http.server "$port" --bind 127.0.0.1 --directory "$site" > "$work/log" 2>&1 &
server=$!
trap 'kill "$server"' EXIT
export FAIRLEAD_RELEASES_URL="http://127.0.0.1:$port"
for _ in $(seq 50); do
  curl --silent --fail --output /dev/null "$FAIRLEAD_RELEASES_URL/latest/download/SHA256SUMS" && break
  sleep 0.2
done

try() { # try CHANNEL PROGRAM: the program that a channel installed is this version, and its demo runs
  [ "$("$2" --version | tr -d '\r')" = "fairlead $version" ] || { echo "$1: another version" >&2; exit 1; }
  FAIRLEAD_HOME=$(mktemp -d) "$2" demo --once
  echo "ok   $1"
}

python -m venv "$work/venv"
python=$work/venv/bin/python
[ -x "$python" ] || python=$work/venv/Scripts/python
"$python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --require-hashes -r build/locks/runtime.txt
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "$packages"/fairlead-"$version"-*.whl
# Not from this folder, which holds the sources of the same modules.
(cd "$work" && try wheel "$(dirname "$python")/fairlead")

sum=$(python -c 'import hashlib, sys; print(hashlib.sha256(open(sys.argv[1], "rb").read()).hexdigest())' \
  "$folder/release.json" | tr -d '\r')
INPUT_VERSION=$version INPUT_SHA256=$sum RUNNER_TEMP=$work GITHUB_PATH=$work/path GITHUB_OUTPUT=$work/told \
  GITHUB_ENV=$work/environment bash .github/actions/setup-fairlead/setup.sh
try setup-fairlead "$(head -n 1 "$work/path")/fairlead"

case $(uname -s) in
  Linux)
    HOME=$work/home sh "$folder/install.sh"
    try install.sh "$work/home/.local/bin/fairlead"
    machine=$(dpkg --print-architecture)
    sudo dpkg --install "$folder"/fairlead_*_"$machine".deb
    try deb /usr/bin/fairlead
    sudo dpkg --remove fairlead
    case $machine in amd64) arch=x86_64 ;; *) arch=aarch64 ;; esac
    # The oldest system that the programs are for, pinned as for the build.
    image=$(grep -o "quay.io/pypa/manylinux_2_28_$arch | sha256:[0-9a-f]*" .github/actions.md | sed 's/ | /@/')
    docker run --rm --volume "$folder:/release:ro" "$image" \
      bash -c "rpm --install /release/fairlead-*.$arch.rpm && fairlead --version && fairlead demo --once"
    echo "ok   rpm"
    "$python" packaging/channels.py "$folder/release.json" --files "$folder" --base-url "$FAIRLEAD_RELEASES_URL" \
      --out "$work/aur" --only aur
    sudo apt-get update --quiet --quiet
    sudo apt-get install --quiet --quiet --yes --no-install-recommends makepkg pacman-package-manager libarchive-tools zstd
    bash .github/scripts/try-pkgbuild.sh "$work/aur/aur" "$work/arch"
    try aur "$work/arch/usr/bin/fairlead"
    "$python" packaging/channels.py "$folder/release.json" --files "$folder" --base-url "$FAIRLEAD_RELEASES_URL" \
      --out "$work/channels" --only container
    docker build --quiet --tag fairlead:draft --file "$work/channels/container/Containerfile" "$work/channels/container"
    docker run --rm --read-only --volume /data fairlead:draft demo --once
    echo "ok   container"
    ;;
  Darwin)
    HOME=$work/home sh "$folder/install.sh"
    try install.sh "$work/home/.local/bin/fairlead"
    "$python" packaging/channels.py "$folder/release.json" --files "$folder" --base-url "$FAIRLEAD_RELEASES_URL" \
      --out "$work/channels" --only homebrew
    brew tap-new --no-git fairlead/draft
    tap=$(brew --repository fairlead/draft)
    cp -R "$work/channels/homebrew/." "$tap/"
    # Signed programs are in the cask, and the formula is for Linux alone.
    if [ -d "$tap/Casks" ]; then brew install --cask fairlead/draft/fairlead; else brew install fairlead/draft/fairlead; fi
    try brew "$(brew --prefix)/bin/fairlead"
    [ -e "$(brew --prefix)/share/man/man1/fairlead.1" ] || { echo "brew: no man page" >&2; exit 1; }
    ;;
  *)
    pwsh -NoProfile -File "$folder/install.ps1"
    try install.ps1 "$LOCALAPPDATA/fairlead/current/fairlead.exe"
    "$python" packaging/channels.py "$folder/release.json" --files "$folder" --base-url "$FAIRLEAD_RELEASES_URL" \
      --out "$work/channels" --only scoop --only winget
    pwsh -NoProfile -File .github/scripts/try-channels.ps1 -Channels "$(cygpath --windows "$work/channels")" -Version "$version"
    ;;
esac
