#!/usr/bin/env bash
# Builds the package of a PKGBUILD as its user, and installs it below an empty root: try-pkgbuild.sh FOLDER ROOT
# For a system that is not Arch's, whose packages have makepkg and pacman: what the package needs is taken as being there.
set -euo pipefail

cd "$1"
root=$2
makepkg --nodeps --noconfirm --nocolor
package=$(makepkg --packagelist)
mkdir -p "$root/var/lib/pacman" "$root/var/cache/pacman/pkg"
# fakeroot: the user owns the files, and pacman takes itself for root.
fakeroot pacman --upgrade --nodeps --nodeps --noconfirm --noscriptlet \
  --root "$root" --dbpath "$root/var/lib/pacman" --cachedir "$root/var/cache/pacman/pkg" "$package"
