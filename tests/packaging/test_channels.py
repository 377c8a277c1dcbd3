"""What packaging/channels.py writes for package managers that download the release's own files."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import msgspec
import pytest
import yaml

from router.installation.project import RELEASES_URL, REPOSITORY

from .fake_release import ROOT, have, make_release, pack, tree, write_release
from .generated import KEY, address, find, generate, make

SYSTEMS = [("macos", "arm", "arm64", ""), ("macos", "intel", "x86_64", ""),
           ("linux", "arm", "arm64", "glibc"), ("linux", "intel", "x86_64", "glibc")]  # fmt: skip

needs_ruby = pytest.mark.skipif(not have("ruby"), reason="needs ruby")


@pytest.fixture(name="made", scope="module")
def fixture_made(tmp_path_factory: pytest.TempPathFactory):
    """A release of unsigned programs, and its channels but the packages that are built."""
    names = ("homebrew", "scoop", "winget", "aur", "container", "installers")
    return make(tmp_path_factory.mktemp("channels"), *names)


@pytest.fixture(name="signed", scope="module")
def fixture_signed(tmp_path_factory: pytest.TempPathFactory):
    """The same with programs for macOS and Windows that are signed."""
    return make(tmp_path_factory.mktemp("signed"), "homebrew", "scoop", "winget", signed=("macos", "windows"))


def evaluate(path: Path, system: str, arch: str) -> dict:
    script = Path(__file__).with_name("homebrew") / "evaluate.rb"
    checked = subprocess.run(["ruby", "-wc", path], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    done = subprocess.run(["ruby", script, path, system, arch], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@needs_ruby
@pytest.mark.parametrize(("system", "arch", "ours", "libc"), SYSTEMS)
def test_formula(made, system: str, arch: str, ours: str, libc: str):
    """The formula takes the folder of each system by its hash, and installs program, man pages and completions."""
    release, out = made
    found = evaluate(out / "homebrew/Formula/fairlead.rb", system, arch)
    file = find(release, system, ours, libc)
    assert (found["class"], found["version"], found["license"]) == ("Fairlead", "0.3.0", "MIT")
    assert (found["url"], found["sha256"]) == (address(file), file.sha256)
    [share] = (out / "release").glob("*-share.tar.xz")
    assert found["resources"]["share"]["sha256"] == hashlib.sha256(share.read_bytes()).hexdigest()
    assert found["resources"]["share"]["url"].endswith(f"/v0.3.0/{share.name}")
    assert ["bin", "-> libexec/fairlead"] in found["installed"]
    assert {place for place, *_ in found["installed"]} == {
        "libexec", "bin", "man1", "man5", "bash_completion", "zsh_completion", "fish_completion"
    }  # fmt: skip
    assert not (out / "homebrew/Casks").exists()
    # Homebrew's rules for a description: no article, no full stop, at most 80 characters.
    assert len(found["desc"]) <= 80
    assert not re.match(r"(?i)(a|an|the) |fairlead", found["desc"])
    assert not found["desc"].endswith(".")


@needs_ruby
@pytest.mark.parametrize(("arch", "ours"), [("arm", "arm64"), ("intel", "x86_64")])
def test_cask(signed, arch: str, ours: str):
    """Signed programs for macOS come by a cask, which leaves them as they are; the formula is for Linux then."""
    release, out = signed
    found = evaluate(out / "homebrew/Casks/fairlead.rb", "macos", arch)
    file = find(release, "macos", ours)
    assert (found["cask"], found["url"], found["sha256"]) == ("fairlead", address(file), file.sha256)
    assert found["binary"] == "fairlead/fairlead"
    # All that are in the archive, and what prints the completions.
    assert found["manpages"] == [f"fairlead/_internal/man/{name}" for name in ("fairlead-config.5", "fairlead.1")]
    assert found["completions"] == ["fairlead/fairlead", "completions"]
    formula = evaluate(out / "homebrew/Formula/fairlead.rb", "macos", arch)
    assert ("url" in formula, formula["depends_on"]) == (False, ["linux"])


def test_cask_needs_both(tmp_path: Path):
    """A release with one signed program for macOS of two is refused."""
    release = make_release(tmp_path / "release", "0.3.0", signed=("macos",))
    files = [msgspec.structs.replace(file, signed=file.arch == "arm64" and file.signed) for file in release.files]
    write_release(tmp_path / "release", msgspec.structs.replace(release, files=files))
    done = generate(tmp_path / "release", tmp_path / "out", "--only", "homebrew")
    assert (done.returncode, "is signed, the other is not" in done.stderr) == (1, True)


@pytest.mark.parametrize(("page", "said"), [("other.1", "have other man pages"), ("other.txt", "has no man pages")])
def test_cask_needs_the_same_man_pages(tmp_path: Path, page: str, said: str):
    """Archives for macOS whose pages differ, or that have none, are refused: the cask would name what is not there."""
    release = make_release(tmp_path / "release", "0.3.0", signed=("macos",))
    kept = {name: data for name, data in tree("0.3.0").items() if "/man/" not in name}
    packed = pack({**kept, f"fairlead/_internal/man/{page}": b""})
    file = find(release, "macos", "x86_64")
    (tmp_path / "release" / file.name).write_bytes(packed)
    done = generate(tmp_path / "release", tmp_path / "out", "--only", "homebrew")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


def test_scoop(made):
    """The manifest takes the folders for both machines; what an update takes has its line in SHA256SUMS."""
    release, out = made
    manifest = json.loads((out / "scoop/fairlead.json").read_text())
    sums = (out.parent / "release/SHA256SUMS").read_text()
    for name, arch in (("64bit", "x86_64"), ("arm64", "arm64")):
        file = find(release, "windows", arch)
        one = manifest["architecture"][name]
        assert (one["url"], one["hash"], one["extract_dir"]) == (address(file), file.sha256, "fairlead")
        later = manifest["autoupdate"]["architecture"][name]["url"]
        assert later.replace("$version", "0.3.0") == one["url"]
        # As Scoop finds it: the hash before the name of the file.
        [found] = re.findall(rf"([0-9a-f]{{64}})[ \t]+.*{re.escape(file.name)}$", sums, re.MULTILINE)
        assert found == file.sha256
    assert manifest["autoupdate"]["hash"] == {"url": "$baseurl/SHA256SUMS"}
    assert (manifest["bin"], manifest["checkver"]) == ("fairlead.exe", {"github": f"https://github.com/{REPOSITORY}"})


def read_winget(out: Path) -> dict[str, dict]:
    folder = out / "winget/manifests/f/fairlead/fairlead/0.3.0"
    names = {"version": "", "installer": ".installer", "defaultLocale": ".locale.en-US"}
    assert len(list(folder.iterdir())) == len(names)
    return {kind: yaml.safe_load((folder / f"fairlead.fairlead{end}.yaml").read_text()) for kind, end in names.items()}


def test_winget(made):
    """Three manifests agree in name and version; each installer is a zip whose program is called by its alias."""
    release, out = made
    manifests = read_winget(out)
    for kind, one in manifests.items():
        assert (one["PackageIdentifier"], one["PackageVersion"], one["ManifestType"]) == (
            "fairlead.fairlead",
            "0.3.0",
            kind,
        )
        assert one["ManifestVersion"] == "1.10.0"
    installer = manifests["installer"]
    assert (installer["InstallerType"], installer["NestedInstallerType"]) == ("zip", "portable")
    assert installer["ArchiveBinariesDependOnPath"] is True
    assert installer["NestedInstallerFiles"][0]["RelativeFilePath"] == "fairlead\\fairlead.exe"
    for one, arch in zip(installer["Installers"], ("x86_64", "arm64"), strict=True):
        file = find(release, "windows", arch)
        assert (one["InstallerUrl"], one["InstallerSha256"]) == (address(file), file.sha256.upper())


def test_schemas(made, signed):
    """The manifests fit the schemas of Scoop and winget, where a folder of them is named."""
    folder = os.environ.get("FAIRLEAD_SCHEMAS")
    if not folder:
        pytest.skip("FAIRLEAD_SCHEMAS names no folder with scoop.json and winget-version|installer|defaultLocale.json")
    jsonschema = pytest.importorskip("jsonschema")
    for _, out in (made, signed):
        wanted = {"scoop": json.loads((out / "scoop/fairlead.json").read_text())}
        wanted |= {f"winget-{kind}": one for kind, one in read_winget(out).items()}
        for name, value in wanted.items():
            schema = json.loads((Path(folder) / f"{name}.json").read_text())
            jsonschema.validators.validator_for(schema)(schema).validate(value)


@pytest.mark.skipif(not have("bash"), reason="needs bash")
def test_pkgbuild(made, tmp_path: Path):
    """PKGBUILD and .SRCINFO say the same, and package() puts each file where Arch keeps its kind."""
    release, out = made
    words = "pkgver pkgrel url depends provides conflicts options source sha256sums source_x86_64 sha256sums_x86_64 "
    words += "source_aarch64 sha256sums_aarch64"
    script = f'. ./PKGBUILD; for word in {words}; do declare -n all=$word; for one in "${{all[@]}}"; do '
    script += "printf '%s = %s\\n' $word \"$one\"; done; done"
    said = subprocess.check_output(["bash", "-euc", script], cwd=out / "aur", text=True).splitlines()
    listed = [line.strip() for line in (out / "aur/.SRCINFO").read_text().splitlines()]
    assert set(said) <= set(listed)
    for arch, ours in (("x86_64", "x86_64"), ("aarch64", "arm64")):
        file = find(release, "linux", ours, "glibc")
        assert {f"source_{arch} = {address(file)}", f"sha256sums_{arch} = {file.sha256}"} <= set(said)
    source = tmp_path / "src"
    source.mkdir()
    for archive in (*(out / "release").glob("*-share.tar.xz"), *(out.parent / "release").glob("*linux-x86_64.tar.xz")):
        subprocess.run(["tar", "-xf", archive, "-C", source], check=True)
    script = f'. "{out}/aur/PKGBUILD"; pkgdir="{tmp_path}/pkg"; package'
    subprocess.run(["bash", "-euc", script], cwd=source, check=True)
    package = tmp_path / "pkg"
    assert subprocess.check_output([package / "usr/bin/fairlead", "--version"], text=True) == "fairlead 0.3.0\n"
    for name in ("man/man1/fairlead.1", "zsh/site-functions/_fairlead", "bash-completion/completions/fairlead"):
        assert (package / "usr/share" / name).is_file()


def test_container(made):
    """The image is built on a base pinned by digest, runs as an ordinary user, keeps its state in one volume, and has a
    health check that needs no shell."""
    _, out = made
    context = out / "container"
    lines = [line.strip() for line in (context / "Containerfile").read_text().splitlines()]
    [base] = [line for line in lines if line.startswith("FROM ")]
    assert re.fullmatch(r"FROM \S+@sha256:[0-9a-f]{64}", base)
    assert "USER 65532:65532" in lines
    assert 'VOLUME ["/data"]' in lines
    assert any(
        line.startswith("HEALTHCHECK") and 'CMD ["/opt/fairlead/fairlead", "status", "--json"]' in line
        for line in lines
    )
    assert not any(line.startswith("RUN ") for line in lines)
    text = "\n".join(lines)
    assert "FAIRLEAD_HOME=/data" in text
    assert "ENV container=" in text  # `fairlead upgrade` names the image there, where the runtime leaves no mark
    assert "FAIRLEAD_HOST=0.0.0.0" in text
    # Without a key that the user sets, the proxy refuses to listen there: the image brings none.
    assert "ENV FAIRLEAD_API_KEY" not in text
    for arch in ("amd64", "arm64"):
        assert os.access(context / arch / "fairlead/fairlead", os.X_OK)
    copied = re.findall(r"^COPY (?:--\S+ )*(\S+) ", text, re.MULTILINE)
    assert all(
        (context / name.replace("${TARGETARCH}", arch)).exists() for name in copied for arch in ("amd64", "arm64")
    )


def test_installers(made):
    """The published scripts hold the public keys, and are else those of the repository, which name this repository."""
    _, out = made
    script = (out / "release/install.sh").read_text()
    assert script.replace(f"public_keys='{KEY}'", "public_keys=''") == (ROOT / "packaging/install.sh").read_text()
    shell = (out / "release/install.ps1").read_text()
    assert shell.replace(f"@('{KEY}')", "@()") == (ROOT / "packaging/install.ps1").read_text()
    assert f"repository='{REPOSITORY}'\n" in script
    assert f"$Repository = '{REPOSITORY}'\n" in shell
    assert f"https://github.com/{REPOSITORY}/releases" == RELEASES_URL
    assert f"repository={REPOSITORY}\n" in (ROOT / ".github/actions/setup-fairlead/setup.sh").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--man", "nowhere"], "has no fairlead.1"),
        (["--completions", "nowhere"], "has no fairlead.bash, _fairlead, fairlead.fish, fairlead.ps1"),
        (["--files", "nowhere"], "cannot be read"),
        (["--key", "no key", "--only", "installers"], "is not one line of base64"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, options: list[str], said: str):
    """Without man pages, completions or archives nothing is left out in silence: it fails."""
    make_release(tmp_path / "release", "0.3.0")
    done = generate(tmp_path / "release", tmp_path / "out", *options)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"schema": 1', '"schema": 2', "has schema 2"),
        ('"version": "0.3.0"', '"version": "0.3.0\\"; system(1)"', "is not a version"),
        ('"date": "2026-12-01"', '"date": "soon"', "is not a day"),
        ('"name": "fairlead-0.3.0-linux-x86_64.tar.xz"', '"name": "../x\'"', "no proper name"),
        ('"os": "windows"', '"os": "plan9"', "has no file for windows x86_64"),
        ('"files"', '"file"', "does not describe a release"),
    ],
)
def test_descriptions_that_are_refused(tmp_path: Path, old: str, new: str, said: str):
    """A description with what would break a script or a manifest is refused before anything is written."""
    make_release(tmp_path / "release", "0.3.0")
    path = tmp_path / "release/release.json"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    done = generate(tmp_path / "release", tmp_path / "out", "--only", "scoop")
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert not (tmp_path / "out").exists()


def test_changed_archive_is_refused(tmp_path: Path):
    """A package is made of the very file that release.json describes, and never into a folder with something in it."""
    make_release(tmp_path / "release", "0.3.0")
    with (tmp_path / "release/fairlead-0.3.0-linux-arm64.tar.xz").open("ab") as file:
        file.write(b"\0")
    done = generate(tmp_path / "release", tmp_path / "out", "--only", "container")
    assert (done.returncode, "is not the file that release.json describes" in done.stderr) == (1, True)
    done = generate(tmp_path / "release", tmp_path / "release", "--only", "scoop")
    assert (done.returncode, "is not empty" in done.stderr) == (1, True)
