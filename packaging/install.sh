#!/bin/sh
# Installs fairlead for one user, without root:
#   curl --proto '=https' --tlsv1.2 -sSf https://github.com/fairlead/fairlead/releases/latest/download/install.sh | sh
# Options follow `sh -s --`; --help lists them. The whole script is functions, and its last line calls the first of them:
# a download that was cut off does nothing.
set -eu

repository='fairlead/fairlead'
# The public keys of releases in minisign's form, separated by spaces; packaging/channels.py writes them here.
public_keys=''

usage() {
  cat <<TEXT
usage: install.sh [OPTION …]

Install fairlead for this user: the program goes below ~/.local/share/fairlead,
a link to it in ~/.local/bin. Nothing else is changed.

  --version V            this version (default: the newest; \$FAIRLEAD_VERSION)
  --form folder|file     a folder that starts fast, or one file (default folder)
  --prefix DIR           in the place of ~/.local/share/fairlead
  --bin DIR              in the place of ~/.local/bin
  --sha256 HEX           the file must have this SHA-256 too
  --require-signature    fail unless minisign or rsign has checked the release
  --require-attestation  fail unless gh or cosign has checked the file's origin
  --force                install again what is installed already
  --uninstall            remove what this script installed; ~/.fairlead stays
  --help                 show this text

\$FAIRLEAD_RELEASES_URL names another address of releases (https).
TEXT
}

main() {
  version=${FAIRLEAD_VERSION:-}
  form=folder prefix='' bin='' pinned='' force='' uninstall=''
  require_signature='' require_attestation=''
  while [ $# -gt 0 ]; do
    case $1 in
      --version | --form | --prefix | --bin | --sha256)
        [ $# -gt 1 ] || misuse "$1 needs a value."
        case $1 in
          --version) version=$2 ;;
          --form) form=$2 ;;
          --prefix) prefix=$2 ;;
          --bin) bin=$2 ;;
          --sha256) pinned=$(printf %s "$2" | tr ABCDEF abcdef) ;;
        esac
        shift
        ;;
      --require-signature) require_signature=yes ;;
      --require-attestation) require_attestation=yes ;;
      --force) force=yes ;;
      --uninstall) uninstall=yes ;;
      -h | --help) usage; return 0 ;;
      *) misuse "unknown option $1." ;;
    esac
    shift
  done
  find_places
  if [ -n "$uninstall" ]; then
    remove
    return 0
  fi
  check_options
  find_system
  check_link
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/fairlead-install.XXXXXX")
  staged=''
  trap 'clean' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  read_release
  name_others
  if is_installed; then
    switch
    say "fairlead $version is installed already: $link   (--force installs it again)"
    hint_path
    return 0
  fi
  download
  attest
  stage
  keep
  switch
  say "fairlead $version is installed: $link"
  say "  hash         ok: SHA-256 as in release.json"
  say "  signature    $signature"
  say "  attestation  $attestation"
  hint_path
  say "Try it:   fairlead demo"
}

say() { printf '%s\n' "$*"; }

fail() { # fail WHAT [HINT]
  printf 'error: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf '       %s\n' "$2" >&2
  exit 1
}

misuse() {
  printf 'error: %s\n' "$1" >&2
  printf '       Options:   install.sh --help\n' >&2
  exit 2
}

has() { command -v "$1" >/dev/null 2>&1; }

# --- where things go ---

find_places() {
  [ -n "${HOME:-}" ] || fail 'HOME is not set.' 'Set it to your home directory.'
  case ${XDG_DATA_HOME:-} in
    /*) data=$XDG_DATA_HOME ;;
    *) data=$HOME/.local/share ;; # a relative one is to be ignored (XDG Base Directory Specification)
  esac
  prefix=${prefix:-$data/fairlead}
  bin=${bin:-$HOME/.local/bin}
  for place in "$prefix" "$bin"; do
    case $place in
      *'
'*) fail 'a folder has a line break in its name.' 'Choose others with --prefix and --bin.' ;;
      /*) ;;
      *) misuse "$place is not an absolute path." ;;
    esac
  done
  prefix=${prefix%/} bin=${bin%/}
  case $prefix in
    '' | "$HOME" | "$HOME/.fairlead") fail "--prefix must be a folder of its own, not $prefix/." ;;
  esac
  link=$bin/fairlead
}

check_options() {
  case $form in
    folder | file) ;;
    *) misuse "--form is folder or file, not $form." ;;
  esac
  version=${version#v}
  case $version in
    *[!0-9.]* | .* | *. | *..*) misuse "--version is such as 0.3.0, not $version." ;;
  esac
  case $pinned in
    *[!0-9a-f]*) misuse '--sha256 is 64 hexadecimal digits.' ;;
    '') ;;
    *) [ ${#pinned} -eq 64 ] || misuse '--sha256 is 64 hexadecimal digits.' ;;
  esac
  releases=${FAIRLEAD_RELEASES_URL:-https://github.com/$repository/releases}
  releases=${releases%/}
  case $releases in
    https://?*) scheme=https ;;
    http://127.0.0.1:* | http://localhost:* | 'http://[::1]:'*) scheme=http ;; # a rehearsal on this machine
    *) fail "FAIRLEAD_RELEASES_URL must begin with https://, not be $releases." ;;
  esac
  if has sha256sum; then
    hasher='sha256sum'
  elif has shasum; then
    hasher='shasum -a 256'
  elif has openssl; then
    hasher='openssl dgst -sha256 -r'
  else
    fail 'no program for SHA-256 is here, and nothing is installed unchecked.' 'Install sha256sum, shasum or openssl.'
  fi
  find_client
}

find_client() {
  if has curl; then
    client=curl
  elif has wget && wget --version 2>/dev/null | grep -q '^GNU Wget'; then
    client=wget
  elif has wget; then
    fail 'this wget checks no certificates or follows redirects to http.' 'Install curl, or GNU wget.'
  else
    fail 'neither curl nor wget is here.' 'Install one of them.'
  fi
}

find_system() {
  libc=''
  case $(uname -s) in
    Linux) os=linux ;;
    Darwin) os=macos ;;
    MINGW* | MSYS* | CYGWIN*) fail 'this is the installer for Linux and macOS.' 'On Windows, run install.ps1 in PowerShell.' ;;
    *) fail "there is no fairlead for $(uname -s)." "pip installs it where Python 3.11 is:   pip install fairlead" ;;
  esac
  case $(uname -m) in
    x86_64 | amd64) arch=x86_64 ;;
    aarch64 | arm64) arch=arm64 ;;
    *) fail "there is no fairlead for $os on $(uname -m)." "pip installs it where Python 3.11 is:   pip install fairlead" ;;
  esac
  if [ $os = macos ]; then
    # A shell under Rosetta is told that it runs on x86_64.
    [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" != 1 ] || arch=arm64
    return 0
  fi
  [ "$(getconf LONG_BIT 2>/dev/null || echo 64)" = 64 ] ||
    fail 'this is a 32-bit system; fairlead is built for 64 bits.' 'pip installs it where Python 3.11 is:   pip install fairlead'
  if getconf GNU_LIBC_VERSION >/dev/null 2>&1; then
    libc=glibc
  elif ldd --version 2>&1 | grep -qi musl; then
    libc=musl
  elif ls /lib/ld-musl-* >/dev/null 2>&1; then
    libc=musl
  else
    libc=glibc
  fi
}

# Did this script install what is in the prefix? `fairlead upgrade` may have written the receipt again.
is_own() { grep -Eq '"installer": *"(install.sh|upgrade)"' "$prefix/receipt.json" 2>/dev/null; }

# The program or link that the receipt names; empty without a receipt of this script.
linked() {
  is_own || return 0
  sed -n 's/.*"link": *"\(\([^"\]\|\\.\)*\)".*/\1/p' "$prefix/receipt.json" | sed 's/\\\(.\)/\1/g'
}

check_link() { # What another installer or the user put there stays.
  if [ -L "$link" ]; then
    case $(readlink "$link") in
      "$prefix"/*) return 0 ;;
    esac
  elif [ ! -e "$link" ] || [ "$(linked)" = "$link" ]; then
    return 0
  fi
  fail "$link is there, and this script did not make it." 'Move it away, or choose another folder with --bin.'
}

# The place that the text of a link leads to, its links left as they are: `current` shows in it.
follow() { # follow LINK
  towards=$(readlink "$1")
  case $towards in
    /*) ;;
    *) towards=${1%/*}/$towards ;;
  esac
  (cd "${towards%/*}" 2>/dev/null && printf '%s/%s' "$(pwd)" "${towards##*/}")
}

# Does a program of this installation start the version that its link or folder names, whatever is installed?
leads_past() { # leads_past PROGRAM
  at=$1 hops=0
  while :; do
    case $at in
      "$prefix"/current/*) return 1 ;;
    esac
    if [ ! -L "$at" ] || [ $hops -ge 40 ]; then return 0; fi
    at=$(follow "$at") || return 1
    hops=$((hops + 1))
  done
}

quote() { printf "'%s'" "$(printf %s "$1" | sed "s/'/'\\\\''/g")"; } # as one word of a shell

say_past() { # say_past PROGRAM TARGET
  named=${2#"$prefix"/versions/}
  say "note: $1 starts ${named%%/*} whatever is installed: it leads past $prefix/current"
  if [ -L "$1" ]; then
    say "      Link it anew:   ln -sf $(quote "$prefix/current/fairlead") $(quote "$1")"
  else
    say "      Put $bin on your PATH in the place of ${1%/*}"
  fi
}

# Says which other fairlead is on PATH, and who installed it.
name_others() {
  rest=${PATH:-}:
  while [ -n "$rest" ]; do
    folder=${rest%%:*} rest=${rest#*:}
    other=$folder/fairlead
    if [ -z "$folder" ] || [ ! -x "$other" ] || [ -d "$other" ] || [ "$other" = "$link" ]; then
      continue
    fi
    target=$(readlink -f "$other" 2>/dev/null || readlink "$other" || echo "$other")
    case $target in
      "$prefix"/versions/*)
        if leads_past "$other"; then say_past "$other" "$target"; fi
        continue
        ;;
      "$prefix"/*) continue ;;
      */Cellar/* | */Caskroom/* | */linuxbrew/*) owner="Homebrew; remove it with:   brew uninstall fairlead" ;;
      /nix/store/*) owner='Nix' ;;
      /snap/*) owner='snap' ;;
      */pipx/*) owner='pipx; remove it with:   pipx uninstall fairlead' ;;
      */uv/tools/*) owner='uv; remove it with:   uv tool uninstall fairlead' ;;
      /usr/local/*) owner='another installation' ;;
      /usr/*)
        # rpm would make a data base of its own in HOME where the system has none.
        if has dpkg-query && dpkg-query -S "$target" >/dev/null 2>&1; then
          owner='a deb package; remove it with:   apt remove fairlead'
        elif { [ -d /usr/lib/sysimage/rpm ] || [ -d /var/lib/rpm/Packages ] || [ -e /var/lib/rpm/rpmdb.sqlite ]; } && rpm -qf "$target" >/dev/null 2>&1; then
          owner='an rpm package; remove it with:   dnf remove fairlead'
        elif has pacman && pacman -Qo "$target" >/dev/null 2>&1; then
          owner='pacman; remove it with:   pacman -R fairlead-bin'
        else
          owner='another installation'
        fi
        ;;
      *) owner='another installation' ;;
    esac
    say "note: another fairlead is on your PATH: $other ($owner)"
  done
}

# --- what is fetched ---

origin_of() { # origin_of URL: its host and port
  rest=${1#*://}
  rest=${rest%%/*}
  rest=${rest%%\?*}
  printf %s "${rest##*@}"
}

allowed() { # allowed URL: may a redirect lead there?
  case $1 in
    "$scheme"://*) ;;
    *) return 1 ;;
  esac
  [ "$(origin_of "$1")" != "$(origin_of "$releases")" ] || return 0
  [ "$(origin_of "$releases")" = github.com ] || return 1
  case $(origin_of "$1") in
    *.githubusercontent.com) ;; # where GitHub keeps the files of releases
    *) return 1 ;;
  esac
}

fetch() { # fetch URL FILE: 0, or 1 when the server does not have it; any other failure ends the script
  url=$1 hops=0
  while :; do
    request "$url" "$2"
    case $status in
      200) return 0 ;;
      404 | 410) rm -f "$2"; return 1 ;;
      30[12378]) ;;
      *) fail "$url answered with status $status." 'Try again later.' ;;
    esac
    case $next in
      /*) next=$scheme://$(origin_of "$url")$next ;;
    esac
    allowed "$next" || fail "$url redirects to ${next:-nowhere}, which is not where releases are." 'Nothing was installed.'
    hops=$((hops + 1))
    [ $hops -le 5 ] || fail "$1 redirects more than five times."
    url=$next
  done
}

request() { # request URL FILE: one request without its redirects; sets status and next
  if [ $client = curl ]; then
    quiet=--silent
    [ -t 2 ] && [ "${bar:-}" = yes ] && quiet=--progress-bar
    answer=$(curl $quiet --show-error --proto "=$scheme" --no-location --tlsv1.2 --connect-timeout 20 --speed-limit 1 --speed-time 60 \
      --retry 2 --max-filesize 134217728 --output "$2" --write-out '%{http_code} %{redirect_url}' -- "$1") ||
      fail "$1 could not be downloaded." 'Nothing was installed.'
    status=${answer%% *} next=${answer#* }
    return 0
  fi
  # GNU wget's --https-only is for recursive downloads: it would follow a redirect to http.
  code=0
  wget --no-verbose --server-response --max-redirect=0 --timeout=60 --tries=2 --output-document="$2" -- "$1" \
    2>"$scratch/wget" || code=$?
  status=$(sed -n 's/^ *HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' "$scratch/wget" | tail -n 1)
  next=$(sed -n 's/^ *[Ll]ocation: *\([^ ]*\).*/\1/p' "$scratch/wget" | tail -n 1 | tr -d '\r')
  if [ -z "$status" ] || { [ "$status" = 200 ] && [ $code -ne 0 ]; }; then
    sed 's/^/       /' "$scratch/wget" >&2
    fail "$1 could not be downloaded." 'Nothing was installed.'
  fi
}

hash_of() { $hasher <"$1" | sed 's/[^0-9a-f].*//'; }

# Gets release.json, checks its signature, and finds the file for this system in it.
read_release() {
  if [ -n "$version" ]; then
    place=$releases/download/v$version
  else
    place=$releases/latest/download
  fi
  manifest=$scratch/release.json
  fetch "$place/release.json" "$manifest" ||
    fail "there is no release ${version:-yet} at $releases." "Releases:   $releases"
  check_signature
  # One line per object. The description has no objects within those of its files.
  tr '\n\r\t' ' ' <"$manifest" | sed 's/" *: */":/g; s/, *"/,"/g' | tr '{}' '\n' >"$scratch/objects"
  [ "$(head_number schema)" = 1 ] ||
    fail "release.json has a form that this script does not read (schema '$(head_number schema)')." 'Get the present install.sh.'
  said=$(head_field version)
  case $said in
    '' | *[!0-9.]*) fail 'release.json names no version.' 'Nothing was installed.' ;;
  esac
  if [ -n "$version" ]; then
    [ "$said" = "$version" ] || fail "release.json of $version is that of $said." 'Nothing was installed.'
  else
    check_age
  fi
  version=$said
  [ -z "$require_attestation" ] || has gh || has cosign ||
    fail '--require-attestation: neither gh nor cosign is here.' 'Install one of them.'
  choose
}

head_field() { sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" "$scratch/objects" | sed -n 1p; }
head_number() { sed -n "s/.*\"$1\":\\([0-9][0-9]*\\).*/\\1/p" "$scratch/objects" | sed -n 1p; }
entry_field() { sed -n "s/.*\"$1\":\"\\([^\"]*\\)\".*/\\1/p" "$scratch/entry"; }
entry_number() { sed -n "s/.*\"$1\":\\([0-9][0-9]*\\).*/\\1/p" "$scratch/entry"; }

# An old description that is served in the place of the newest hides what was mended since.
check_age() {
  ends=$(head_field expires | tr -d -)
  case $ends in
    [0-9][0-9][0-9][0-9][0-9][0-9][0-9][0-9]) ;;
    *) fail 'release.json does not say until when it is the newest.' 'Nothing was installed.' ;;
  esac
  [ "$(date -u +%Y%m%d)" -lt "$ends" ] ||
    fail "the newest release at $releases has expired: $said." "To have it nonetheless:   --version $said"
  [ -L "$prefix/current" ] || return 0
  present=$(readlink "$prefix/current")
  present=${present##*/}
  [ "$present" = "$said" ] || [ "$(printf '%s\n%s\n' "$present" "$said" | sort_versions | tail -n 1)" = "$said" ] ||
    fail "$present is installed, and the newest at $releases is $said." "To go back to it:   --version $said"
}

sort_versions() { sort -t . -k 1,1n -k 2,2n -k 3,3n; }

choose() {
  grep "\"os\":\"$os\"" "$scratch/objects" | grep "\"arch\":\"$arch\"" | grep "\"form\":\"$form\"" |
    { if [ -n "$libc" ]; then grep "\"libc\":\"$libc\""; else cat; fi; } | sed -n 1p >"$scratch/entry" || :
  if [ ! -s "$scratch/entry" ]; then
    wanted="$os $arch${libc:+ with $libc}"
    if [ "$libc" = musl ] && grep -q '"os":"linux".*"libc":"glibc"' "$scratch/objects"; then
      fail "fairlead $version has no program for $wanted, and one for glibc does not run here." \
        'pip installs it where Python 3.11 is:   pip install fairlead'
    fi
    fail "fairlead $version has no program for $wanted in the form '$form'." "Its files:   $releases/tag/v$version"
  fi
  file=$(entry_field name) sum=$(entry_field sha256) size=$(entry_number size)
  case $file in
    '' | *[!A-Za-z0-9._-]* | .* | -*) fail "release.json names a file '$file'." 'Nothing was installed.' ;;
  esac
  case $sum in
    *[!0-9a-f]*) sum='' ;;
  esac
  [ ${#sum} -eq 64 ] || fail "release.json has no SHA-256 of $file." 'Nothing is installed unchecked.'
  [ -n "$size" ] || fail "release.json has no size of $file." 'Nothing was installed.'
  [ -z "$pinned" ] || [ "$pinned" = "$sum" ] ||
    fail "$file has another SHA-256 than --sha256 asks for: $sum." 'Nothing was installed.'
  if [ $os = macos ] && ! grep -q '"signed":true' "$scratch/entry"; then
    say 'note: this build has no Developer ID signature; its hash is checked all the same'
  fi
}

check_signature() {
  signature='not checked: neither minisign nor rsign is here'
  if [ -z "$public_keys" ]; then
    signature='not checked: this script has no public keys'
  elif has minisign || has rsign; then
    fetch "$place/release.json.minisig" "$manifest.minisig" ||
      fail 'release.json has no signature.' 'Nothing was installed.'
    for key in $public_keys; do
      if has minisign; then
        minisign -V -q -m "$manifest" -x "$manifest.minisig" -P "$key" >/dev/null 2>&1 || continue
      else
        rsign verify -q -P "$key" -x "$manifest.minisig" "$manifest" >/dev/null 2>&1 || continue
      fi
      signature='ok: release.json, by minisign'
      return 0
    done
    fail 'the signature of release.json is wrong.' 'Nothing was installed.'
  fi
  [ -z "$require_signature" ] || fail "--require-signature: the signature was $signature." 'Nothing was installed.'
}

download() {
  [ "$size" -le 134217728 ] || fail "$file would have $size bytes." 'Nothing was installed.'
  say "$file   $((size / 1048576)) MB from $place"
  place=$releases/download/v$version
  bar=yes
  fetch "$place/$file" "$scratch/$file" || fail "$place/$file is not there." 'Nothing was installed.'
  bar=''
  [ "$(wc -c <"$scratch/$file" | tr -d ' ')" = "$size" ] ||
    fail "$file was cut off or changed: it must have $size bytes." 'Try again.'
  [ "$(hash_of "$scratch/$file")" = "$sum" ] ||
    fail "$file has another SHA-256 than release.json says." 'Nothing was installed.'
}

# Where the file was built: by the release workflow of the repository, for this version's tag.
attest() {
  attestation='not checked: neither gh nor cosign is here'
  workflow=$repository/.github/workflows/build.yml
  if has gh && { [ -n "${GH_TOKEN:-}${GITHUB_TOKEN:-}" ] || gh auth status >/dev/null 2>&1; }; then
    gh attestation verify "$scratch/$file" --repo "$repository" --signer-workflow "$workflow" \
      --source-ref "refs/tags/v$version" --deny-self-hosted-runners >"$scratch/attestation" 2>&1 || {
      sed 's/^/       /' "$scratch/attestation" >&2
      fail "gh found no valid attestation of $file." 'Nothing was installed.'
    }
    attestation='ok: by gh'
    return 0
  fi
  if has cosign; then
    fetch "$place/$file.sigstore.json" "$scratch/$file.sigstore.json" ||
      fail "$file has no bundle for cosign." 'Nothing was installed.'
    cosign verify-blob "$scratch/$file" --bundle "$scratch/$file.sigstore.json" --new-bundle-format \
      --certificate-identity "https://github.com/$workflow@refs/tags/v$version" \
      --certificate-oidc-issuer https://token.actions.githubusercontent.com >"$scratch/attestation" 2>&1 || {
      sed 's/^/       /' "$scratch/attestation" >&2
      fail "cosign refuses the bundle of $file." 'Nothing was installed.'
    }
    attestation='ok: by cosign'
    return 0
  fi
  has gh && attestation='not checked: gh is not logged in'
  [ -z "$require_attestation" ] || fail "--require-attestation: it was $attestation." 'Log in:   gh auth login'
}

# --- what is written ---

is_installed() {
  [ -z "$force" ] || return 1
  if [ "$form" = file ]; then
    [ ! -L "$link" ] && [ "$("$link" --version 2>/dev/null || :)" = "fairlead $version" ]
  else
    [ -d "$prefix/versions/$version/_internal" ] &&
      [ "$("$prefix/versions/$version/fairlead" --version 2>/dev/null || :)" = "fairlead $version" ]
  fi
}

# Unpacks beside the place where it goes, and runs it there once.
stage() {
  umask 022
  mkdir -p "$prefix/versions" "$bin" || fail "$prefix cannot be written." 'Choose another folder with --prefix.'
  # What a killed installer left.
  for left in "$prefix/versions"/.part-* "$prefix"/.current-* "$prefix"/.receipt-* "$bin"/.fairlead-*; do
    case ${left##*-} in
      '' | *[!0-9]*) continue ;; # a pattern without a file, or a file of others
    esac
    kill -0 "${left##*-}" 2>/dev/null || rm -rf "$left"
  done
  staged=$prefix/versions/.part-$$
  rm -rf "$staged"
  mkdir "$staged" || fail "$prefix/versions cannot be written." 'Choose another folder with --prefix.'
  if [ "$form" = file ]; then
    # On the file system where it goes, so that one rename puts it there.
    tree=$bin/.fairlead-part-$$
    mkdir "$tree" || fail "$bin cannot be written." 'Choose another folder with --bin.'
    cp "$scratch/$file" "$tree/fairlead" || fail "$bin: the program could not be written." 'Is the disk full?'
    chmod 755 "$tree/fairlead"
  else
    unpack
    tree=$staged/fairlead
  fi
  told=$("$tree/fairlead" --version 2>"$scratch/run") || {
    sed 's/^/       /' "$scratch/run" >&2
    fail "the new program does not run on this system." 'The installed version, if there is one, was not changed.'
  }
  [ "$told" = "fairlead $version" ] ||
    fail "the new program says that it is '$told', not fairlead $version." 'Nothing was installed.'
}

unpack() {
  archive=$scratch/$file
  if has xz; then
    xz -dc "$archive" >"$scratch/archive.tar" || fail "$file could not be unpacked." 'Is the disk full?'
  elif has unxz; then
    unxz -c <"$archive" >"$scratch/archive.tar" || fail "$file could not be unpacked." 'Is the disk full?'
  elif tar --version 2>/dev/null | grep -q bsdtar; then
    cp "$archive" "$scratch/archive.tar"
  else
    fail "unpacking $file needs xz." \
      'Install it (apt install xz-utils, dnf install xz, apk add xz), or take the program in one file: --form file'
  fi
  tar -tf "$scratch/archive.tar" >"$scratch/names" || fail "$file could not be read." 'Nothing was installed.'
  if grep -vE '^fairlead(/|$)' "$scratch/names" || grep -E '(^|/)\.\.(/|$)' "$scratch/names"; then
    fail "$file has names outside of its folder." 'Nothing was installed.'
  fi
  tar -xof "$scratch/archive.tar" -C "$staged" || fail "$file could not be unpacked into $prefix." 'Is the disk full?'
  [ -x "$staged/fairlead/fairlead" ] || fail "$file has no program in it." 'Nothing was installed.'
}

keep() { # gives the unpacked version its name
  [ "$form" = folder ] || return 0
  target=$prefix/versions/$version
  if [ -e "$target" ]; then
    mv "$target" "$staged.old"
  fi
  mv "$tree" "$target" || {
    [ ! -e "$staged.old" ] || mv "$staged.old" "$target"
    fail "$target could not be written."
  }
  rm -rf "$staged.old"
}

rename() { # rename FROM TO: also where TO is a link to a folder
  mv -fT "$1" "$2" 2>/dev/null || mv -fh "$1" "$2" 2>/dev/null || { rm -f "$2" && mv -f "$1" "$2"; }
}

switch() { # puts the version in the place of the last, each thing by one rename
  mkdir -p "$prefix" "$bin" || fail "$bin cannot be written." 'Choose another folder with --bin.'
  if [ "$form" = folder ]; then
    ln -s "versions/$version" "$prefix/.current-$$"
    rename "$prefix/.current-$$" "$prefix/current"
    ln -s "$prefix/current/fairlead" "$bin/.fairlead-$$" || fail "$bin cannot be written." 'Choose another with --bin.'
    rename "$bin/.fairlead-$$" "$link"
  elif [ -n "${tree:-}" ]; then
    rename "$tree/fairlead" "$link"
  fi
  printf '{"schema":1,"installer":"install.sh","form":"%s","prefix":"%s","channel":"stable","link":"%s"}\n' \
    "$form" "$(escape "$prefix")" "$(escape "$link")" >"$prefix/.receipt-$$"
  rename "$prefix/.receipt-$$" "$prefix/receipt.json"
}

escape() { printf %s "$1" | sed 's/[\\"]/\\&/g'; }

clean() {
  rm -rf "$scratch"
  rm -f "$prefix/.current-$$" "$prefix/.receipt-$$" "$bin/.fairlead-$$"
  rm -rf "$bin/.fairlead-part-$$"
  [ -z "$staged" ] || rm -rf "$staged"
  # Folders that were made for nothing.
  [ -z "$staged" ] || rmdir "$prefix/versions" "$prefix" 2>/dev/null || :
}

hint_path() {
  case :${PATH:-}: in
    *:"$bin":*)
      first=$(command -v fairlead || :)
      [ -z "$first" ] || [ "$first" = "$link" ] || say "note: your shell runs $first, which is first on your PATH"
      ;;
    *)
      say "$bin is not on your PATH. Add it:"
      case ${SHELL:-} in
        */fish) say "  fish_add_path '$bin'" ;;
        *) say "  export PATH=\"$bin:\$PATH\"" ;;
      esac
      ;;
  esac
}

remove() {
  [ -f "$prefix/receipt.json" ] || fail "$prefix has no fairlead of this script." 'Name its folder with --prefix.'
  is_own ||
    fail "$prefix was installed by something else, as $prefix/receipt.json says."
  made=$(linked)
  if [ -L "$made" ]; then
    case $(readlink "$made") in
      "$prefix"/*) rm -f "$made" ;;
    esac
  elif grep -q '"form": *"file"' "$prefix/receipt.json" && [ -f "$made" ]; then
    rm -f "$made"
  fi
  rm -f "$prefix/current"
  if [ -d "$prefix/versions" ] && [ ! -L "$prefix/versions" ]; then
    for folder in "$prefix/versions"/* "$prefix/versions"/.part-* "$prefix/versions"/.gone-*; do
      case $folder in
        */.part-* | */.gone-*) ;; # of `fairlead upgrade` too
        *) if [ ! -x "$folder/fairlead" ] || [ -L "$folder" ]; then continue; fi ;;
      esac
      rm -rf "$folder"
    done
    rmdir "$prefix/versions" 2>/dev/null || :
  fi
  # The versions of programs in one file that `fairlead upgrade` keeps to go back to.
  for folder in "$prefix/programs"/????????????; do
    if [ -d "$folder/versions" ]; then rm -rf "$folder"; fi
  done
  rmdir "$prefix/programs" 2>/dev/null || :
  rm -f "$prefix/receipt.json" "$prefix/upgrade.lock"
  rmdir "$prefix" 2>/dev/null || say "note: $prefix has other files, which stay"
  say 'fairlead is removed. A proxy that runs goes on until it is stopped.'
  say 'Your settings, keys and history stay in ~/.fairlead.'
}

main "$@"
