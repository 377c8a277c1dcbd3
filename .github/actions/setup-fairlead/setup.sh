#!/usr/bin/env bash
# The work of the action setup-fairlead; action.yml says what its inputs are. It reads INPUT_*, RUNNER_OS, RUNNER_ARCH,
# RUNNER_TEMP, GITHUB_OUTPUT, GITHUB_PATH and GITHUB_ENV, as runners set them, and FAIRLEAD_RELEASES_URL for a mirror.
set -euo pipefail

repository=fairlead/fairlead

fail() {
  printf '::error title=setup-fairlead::%s\n' "$*" >&2
  exit 1
}

main() {
  check_inputs
  find_system
  work=${RUNNER_TEMP:?}/fairlead-$version
  rm -rf "$work"
  mkdir -p "$work"
  fetch release.json
  choose
  fetch "$file"
  [ "$(hash_of "$work/$file")" = "$sum" ] || fail "$file has another SHA-256 than was pinned: $(hash_of "$work/$file")"
  attest
  unpack
  # On Windows its line ends with CR LF.
  [ "$("$program" --version | tr -d '\r')" = "fairlead $version" ] || fail "the program does not run here, or is not fairlead $version"
  (cd "$work/fairlead" && native) >>"${GITHUB_PATH:?}"
  url=''
  [ "$start" != true ] || start_proxy
  printf 'version=%s\nurl=%s\n' "$version" "$url" >>"${GITHUB_OUTPUT:?}"
  echo "fairlead $version is on PATH${url:+ and answers at $url}"
}

check_inputs() {
  version=${INPUT_VERSION:-} start=${INPUT_START:-false} port=${INPUT_PORT:-3456} config=${INPUT_CONFIG:-}
  version=${version#v}
  [[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || fail "version must be such as 0.3.0, not '$version'"
  # bash 3.2 of macOS has no ${…,,}.
  read -r -d '' -a pins <<<"$(tr ABCDEF abcdef <<<"${INPUT_SHA256:-}")" || :
  [ ${#pins[@]} -gt 0 ] || fail 'sha256 is needed: what is not pinned is not installed'
  for pin in "${pins[@]}"; do
    [[ $pin =~ ^[0-9a-f]{64}$ ]] || fail "sha256 must be 64 hexadecimal digits, not '$pin'"
  done
  [[ $port =~ ^[0-9]{1,5}$ ]] || fail "port must be a number, not '$port'"
  [ "$start" = true ] || [ "$start" = false ] || fail "start must be true or false, not '$start'"
  [ -z "$config" ] || [ -f "$config" ] || fail "there is no file $config"
  releases=${FAIRLEAD_RELEASES_URL:-https://github.com/$repository/releases}
  case $releases in
    https://?*) scheme='=https' ;;
    http://127.0.0.1:*) scheme='=http' ;; # a rehearsal on this machine
    *) fail "FAIRLEAD_RELEASES_URL must begin with https://, not be '$releases'" ;;
  esac
}

find_system() {
  libc=''
  case ${RUNNER_OS:?} in
    Linux)
      os=linux libc=glibc
      getconf GNU_LIBC_VERSION >/dev/null 2>&1 || libc=musl
      ;;
    macOS) os=macos ;;
    Windows) os=windows ;;
    *) fail "there is no fairlead for $RUNNER_OS" ;;
  esac
  case ${RUNNER_ARCH:?} in
    X64) arch=x86_64 ;;
    ARM64) arch=arm64 ;;
    *) fail "there is no fairlead for $RUNNER_OS on $RUNNER_ARCH" ;;
  esac
}

# GitHub redirects to where it keeps files: by https, and whatever comes is held against the pinned hash.
fetch() {
  curl --disable --silent --show-error --fail --location --max-redirs 5 --proto "$scheme" --proto-redir "$scheme" \
    --tlsv1.2 --retry 3 --connect-timeout 20 --max-filesize 134217728 --output "$work/$1" \
    -- "${releases%/}/download/v$version/$1" || fail "$1 of $version could not be downloaded"
}

hash_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1" | cut -d ' ' -f 1
  else
    shasum -a 256 <"$1" | cut -d ' ' -f 1
  fi
}

pinned() { # pinned HASH
  local pin
  for pin in "${pins[@]}"; do
    [ "$pin" != "$1" ] || return 0
  done
  return 1
}

# The file for this runner, and its hash: both from a release.json that is pinned, or the hash is pinned itself.
choose() {
  local objects entry
  objects=$(tr '\n\r\t' ' ' <"$work/release.json" | sed 's/" *: */":/g; s/, *"/,"/g' | tr '{}' '\n')
  entry=$(grep "\"os\":\"$os\"" <<<"$objects" | grep "\"arch\":\"$arch\"" | grep '"form":"folder"' || :)
  [ -z "$libc" ] || entry=$(grep "\"libc\":\"$libc\"" <<<"$entry" || :)
  [ "$(grep -c . <<<"$entry")" = 1 ] || fail "fairlead $version has no program for $os $arch $libc"
  file=$(sed -n 's/.*"name":"\([^"]*\)".*/\1/p' <<<"$entry")
  sum=$(sed -n 's/.*"sha256":"\([^"]*\)".*/\1/p' <<<"$entry")
  [[ $file =~ ^[A-Za-z0-9][A-Za-z0-9._-]*$ && $sum =~ ^[0-9a-f]{64}$ ]] || fail "release.json of $version is damaged"
  pinned "$(hash_of "$work/release.json")" || pinned "$sum" ||
    fail "sha256 is neither that of release.json nor of $file, which has $sum"
}

# Where gh is there and may ask: built by the release workflow of the repository, for this tag.
attest() {
  if ! command -v gh >/dev/null || [ -z "${GH_TOKEN:-}" ]; then
    echo '::notice title=setup-fairlead::the attestation was not checked: gh is not here, or has no token'
    return 0
  fi
  gh attestation verify "$work/$file" --repo "$repository" --signer-workflow "$repository/.github/workflows/build.yml" \
    --source-ref "refs/tags/v$version" --deny-self-hosted-runners || fail "$file has no valid attestation"
}

unpack() {
  program=$work/fairlead/fairlead
  case $file in
    *.zip)
      unzip -q "$work/$file" -d "$work" || fail "$file could not be unpacked"
      program=$program.exe
      ;;
    *) tar -xJf "$work/$file" -C "$work" || fail "$file could not be unpacked" ;;
  esac
  rm "$work/$file"
  [ -x "$program" ] || fail "$file has no program in it"
}

native() { # this folder as programs of the system write it
  pwd -W 2>/dev/null || pwd
}

start_proxy() {
  local home=$work/home log=$work/proxy.log pid
  mkdir -p "$home"
  chmod 700 "$home"
  [ -z "$config" ] || install -m 600 "$config" "$home/config.toml"
  FAIRLEAD_HOME=$(cd "$home" && native)
  export FAIRLEAD_HOME
  nohup "$program" proxy --port "$port" </dev/null >"$log" 2>&1 &
  pid=$!
  for _ in $(seq 300); do
    # The address and the port come from the proxy itself: 0 had picked a free one.
    url=$("$program" status --json 2>/dev/null | sed -n 's/^ *"url": *"\([^"]*\)".*/\1/p' | head -n 1) || url=''
    [ -z "$url" ] || break
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  if [ -z "$url" ]; then
    cat "$log" >&2
    kill "$pid" 2>/dev/null || :
    fail 'fairlead proxy did not start'
  fi
  # Later steps reach this proxy with fairlead's own commands: `fairlead env`, `fairlead stop`.
  printf 'FAIRLEAD_HOME=%s\n' "$FAIRLEAD_HOME" >>"${GITHUB_ENV:?}"
}

main
