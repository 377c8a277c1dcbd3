"""Plays of the channels that are texts: Homebrew, Scoop, winget, the AUR and the installers' scripts."""

import importlib
import importlib.util
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rehearsal.installing import hash_of, need
from rehearsal.plays import NotHere, Play, expect
from rehearsal.stage import Stage, describe, write_channel
from rehearsal.versions import NEW, ROOT, Version

# Homebrew's own classes as far as a formula and a cask call them. Every call is noted with the blocks around it; what
# runs at installation only is not called. A word without a value gives the value it was given before; of values for
# both machines, that of the machine that is asked for is taken.
_BREW = """
require "json"
$calls = []
$values = {}
MACHINE = ARGV[1].to_sym
LATER = %i[test service caveats]
class Recorder < BasicObject
  def initialize(place) = @place = place
  def method_missing(name, *words, **options, &block)
    options = {::MACHINE => options.fetch(::MACHINE)} if options.keys.sort == %i[arm intel]
    values = words + options.values
    return $values[name] if values.empty? && !block && $values.key?(name)
    $values[name] = values.first
    $calls << [@place, name.to_s, values.map(&:to_s)]
    place = ([@place, name] + words).join(" ")
    block && !::LATER.include?(name) ? ::Recorder.new(place).instance_eval(&block) : self
  end
  def respond_to_missing?(*) = true
  def to_s = @place
  def to_str = @place
end
class Formula
  # Kernel has a private method of this name.
  def self.test(&block) = method_missing(:test, &block)
  def self.method_missing(...) = Recorder.new("formula").__send__(:method_missing, ...)
  def self.respond_to_missing?(*) = true
end
def cask(name, &block) = Recorder.new("cask").instance_eval(&block)
load ARGV[0]
puts JSON.generate($calls)
"""


def play_homebrew(stage: Stage) -> None:
    """the formula parses in Ruby, and its calls name this release's files for both systems and machines"""
    need("ruby")
    folder = stage.write_channels("homebrew") / "homebrew"
    found = sorted(folder.rglob("*.rb"))
    expect([path.parent.name for path in found] == ["Formula"], f"written is {found}")
    calls = _evaluate(stage, found[0], "arm")
    _check_calls(stage.new.files, stage.write_channels("homebrew") / "release", calls)
    blocks = {place for place, name, _ in calls if name == "url"}
    expect(len(blocks) == 5, f"it names files in {sorted(blocks)}")


def play_cask(stage: Stage) -> None:
    """of a release whose macOS programs are signed, the cask and the formula parse in Ruby and name its files"""
    need("ruby")
    files = stage.folder / "signed"
    files.mkdir()
    for path in stage.new.files.glob("fairlead-*"):
        (files / path.name.replace("-unsigned", "")).hardlink_to(path)
    signed = Version(NEW, files, stage.new.tree)
    describe(files, signed, stage.keys.current)
    out = write_channel(signed, "homebrew", stage.folder / "channels")
    cask, formula = out / "homebrew" / "Casks" / "fairlead.rb", out / "homebrew" / "Formula" / "fairlead.rb"
    for machine, name in (("arm", "arm64"), ("intel", "x86_64")):
        calls = _evaluate(stage, cask, machine)
        _check_calls(files, files, calls)
        [url] = [words[0] for _, word, words in calls if word == "url" and "://" in words[0]]
        [hashed] = [words[0] for _, word, words in calls if word == "sha256"]
        program = files / f"fairlead-{NEW}-macos-{name}.tar.xz"
        expect(url.endswith(f"/{program.name}") and hashed == hash_of(program), f"for {name} it names {url} {hashed}")
        expect(["cask", "binary", ["fairlead/fairlead"]] in calls, f"it links no program: {calls}")
        expect(["cask", "manpage", ["fairlead/_internal/man/fairlead.1"]] in calls, f"it links no man page: {calls}")
    calls = _evaluate(stage, formula, "arm")
    _check_calls(files, out / "release", calls)
    urls = [words[0] for _, word, words in calls if word == "url"]
    expect(not any("macos" in url for url in urls), f"the formula is for macOS as well: {urls}")


def _evaluate(stage: Stage, path: Path, machine: str) -> list[list[Any]]:
    """What a formula or cask calls on a machine, `arm` or `intel`: place, word and values of each call."""
    recorder = stage.folder / "brew.rb"
    recorder.write_text(_BREW, "utf-8")
    checked = subprocess.run(["ruby", "-wc", path], capture_output=True, encoding="utf-8", check=False)
    expect(checked.returncode == 0 and not checked.stderr, f"{path.name}: {checked.stdout}{checked.stderr}")
    command = ["ruby", recorder, path, machine]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    expect(done.returncode == 0, f"{path.name}: {done.stderr}")
    return json.loads(done.stdout)


def _check_calls(files: Path, share: Path, calls: list[list[Any]]) -> None:
    hashes = {words[0] for _, name, words in calls if name == "sha256"}
    urls = [words[0] for _, name, words in calls if name == "url" and "://" in words[0]]
    expect(urls and hashes, f"no url or sha256 is named: {calls}")
    _check_files((files, share), urls, hashes)


def play_scoop(stage: Stage) -> None:
    """Scoop's manifest is valid by the rules of its schema that are at hand, and names this release's files"""
    [path] = (stage.write_channels("scoop") / "scoop").rglob("*.json")
    manifest = json.loads(path.read_text("utf-8"))
    # The required fields of Scoop's schema.json, and the forms of those that are used.
    for field in ("version", "homepage", "license"):
        expect(manifest.get(field), f"{path.name} has no {field}")
    expect(manifest["version"] == NEW, f"it is of {manifest['version']}")
    machines = manifest["architecture"]
    expect(set(machines) <= {"64bit", "arm64", "32bit"}, f"machines: {sorted(machines)}")
    hashes = {entry["hash"] for entry in machines.values()}
    expect(all(re.fullmatch(r"(sha256:)?[0-9a-f]{64}", text) for text in hashes), f"hashes: {hashes}")
    _check_files((stage.new.files,), [entry["url"] for entry in machines.values()], {text[-64:] for text in hashes})
    expect("checkver" in manifest and "autoupdate" in manifest, "it has no checkver or autoupdate")
    for entry in manifest["autoupdate"]["architecture"].values():
        expect("$version" in entry["url"], f"autoupdate has no $version in {entry['url']}")


def play_winget(stage: Stage) -> None:
    """winget's three manifests have what their schema requires, agree with each other, and name this release's files"""
    if importlib.util.find_spec("yaml") is None:
        raise NotHere("PyYAML")
    import yaml

    folder = stage.write_channels("winget") / "winget"
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.rglob("*.yaml")):
        text = path.read_text("utf-8")
        expect(
            "# yaml-language-server: $schema=https://aka.ms/winget-manifest." in text, f"{path.name} names no schema"
        )
        manifest = yaml.safe_load(text)
        found[manifest["ManifestType"]] = manifest
    expect(set(found) == {"version", "installer", "defaultLocale"}, f"manifests: {sorted(found)}")
    identifiers = {(one["PackageIdentifier"], str(one["PackageVersion"])) for one in found.values()}
    expect(len(identifiers) == 1 and identifiers.pop()[1] == NEW, "they are not of one package and version")
    for field in ("PackageLocale", "Publisher", "PackageName", "License", "ShortDescription"):
        expect(found["defaultLocale"].get(field), f"the locale has no {field}")
    installers = found["installer"]["Installers"]
    hashes = {str(one["InstallerSha256"]).lower() for one in installers}
    _check_files((stage.new.files,), [one["InstallerUrl"] for one in installers], hashes)


def play_schemas(stage: Stage) -> None:
    """the manifests of Scoop and winget are valid by the JSON schemas of those two ($FAIRLEAD_SCHEMAS has them)"""
    place = os.environ.get("FAIRLEAD_SCHEMAS")
    if place is None or importlib.util.find_spec("jsonschema") is None:
        raise NotHere("jsonschema, and $FAIRLEAD_SCHEMAS with Scoop's and winget's schemas as *.json")
    validators: Any = importlib.import_module("jsonschema.validators")
    import yaml

    schemas = [json.loads(path.read_text("utf-8-sig")) for path in sorted(Path(place).glob("*.json"))]
    by_id = {str(schema.get("$id", "")).rpartition("/")[2].removesuffix("#").lower(): schema for schema in schemas}
    pairs = [("schema", json.loads(path.read_text("utf-8"))) for path in stage.write_channels("scoop").rglob("*.json")]
    for path in (stage.write_channels("winget") / "winget").rglob("*.yaml"):
        # A day is a text to JSON.
        manifest = json.loads(json.dumps(yaml.safe_load(path.read_text("utf-8")), default=str))
        kind, number = manifest["ManifestType"], manifest["ManifestVersion"]
        pairs.append((f"winget-manifest.{kind.lower()}.{number}.schema.json", manifest))
    for name, manifest in pairs:
        expect(name in by_id, f"$FAIRLEAD_SCHEMAS has no {name}, but {sorted(by_id)}")
        validator = validators.validator_for(by_id[name])(by_id[name])
        errors = [f"{error.json_path}: {error.message}" for error in validator.iter_errors(manifest)]
        expect(not errors, f"{name}: {errors[:5]}")


def play_aur(stage: Stage) -> None:
    """the PKGBUILD is read by bash, and .SRCINFO says the same version and hashes"""
    need("bash")
    folder = stage.write_channels("aur") / "aur"
    script = 'source "$1"; printf "%s\\n" "$pkgname" "$pkgver" "${license[@]}"; declare -f package >/dev/null'
    command = ["bash", "-euc", script, "bash", str(folder / "PKGBUILD")]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", check=False)
    expect(done.returncode == 0, f"PKGBUILD: {done.stderr}")
    expect(NEW in done.stdout.splitlines(), f"it is of another version: {done.stdout}")
    about = (folder / ".SRCINFO").read_text("utf-8")
    hashes = set(re.findall(r"sha256sums\w* = ([0-9a-f]{64})", about))
    expect(f"pkgver = {NEW}" in about and hash_of(stage.new.archive) in hashes, f".SRCINFO: {about}")


def play_aur_built(stage: Stage) -> None:
    """makepkg builds the PKGBUILD from what the host publishes, pacman installs it below an empty root, and it runs"""
    need("makepkg", "pacman", "bsdtar", "fakeroot", "zstd")
    user = stage.user
    out = write_channel(stage.new, "aur", stage.folder / "aur", "--base-url", stage.host.url)
    place, root = user.home / "aur", user.home / "root"
    shutil.copytree(out / "aur", place)
    # Nobody has put the release's other files on the host; makepkg takes what is beside the PKGBUILD.
    [share] = (out / "release").glob("*-share.tar.xz")
    shutil.copy(share, place)
    for path in (place, *place.iterdir()):
        user.own(path)
    done = user.run("bash", ROOT / ".github" / "scripts" / "try-pkgbuild.sh", place, root)
    expect(done.returncode == 0, f"it ended with {done.returncode}: {done.stdout}{done.stderr}")
    expect(any(stage.new.archive.name in path for path in stage.host.asked), "the program was not downloaded")
    program = root / "usr" / "bin" / "fairlead"
    said = user.run(program, "--version").stdout
    expect(said == f"fairlead {NEW}\n", f"`fairlead --version` says {said!r}")
    demo = user.run(program, "demo", "--once")
    expect(demo.returncode == 0, f"the demo ended with {demo.returncode}: {demo.stderr}")
    expect((root / "usr/share/man/man1/fairlead.1.gz").is_file(), "it has no man page")


def play_scripts(stage: Stage) -> None:
    """install.sh is published with the keys of the release in it, and the shell's own check finds nothing"""
    folder = stage.write_channels("installers") / "release"
    text = (folder / "install.sh").read_text("utf-8")
    expect(f"public_keys='{' '.join(stage.keys.trusted)}'" in text, "install.sh does not hold the keys")
    expect((folder / "install.ps1").is_file(), "install.ps1 is missing")
    need("shellcheck")
    done = subprocess.run(["shellcheck", folder / "install.sh"], capture_output=True, encoding="utf-8", check=False)
    expect(done.returncode == 0, done.stdout)


def _check_files(folders: Iterable[Path], urls: list[str], hashes: set[str]) -> None:
    """Every address is of this version and of a file in these folders, and every hash is that of such a file."""
    paths = [path for folder in folders for path in folder.iterdir()]
    names, published = {path.name for path in paths}, {hash_of(path) for path in paths}
    for url in urls:
        name = url.partition("#")[0].rpartition("/")[2]
        expect(f"/download/v{NEW}/" in url and name in names, f"nobody publishes {url}")
    expect(hashes <= published, f"no file has the hash {', '.join(hashes - published)}")


PLAYS: tuple[Play, ...] = (
    play_homebrew,
    play_cask,
    play_scoop,
    play_winget,
    play_schemas,
    play_aur,
    play_aur_built,
    play_scripts,
)
SHORT: tuple[Play, ...] = (play_scoop, play_winget, play_scripts)
