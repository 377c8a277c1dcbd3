"""VERIFY.md: its commands are run as they stand there, on a release of the stand-in program."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from .fake_release import ROOT, have, make_key, make_release, sign
from .generated import make

PAGE = (ROOT / "packaging" / "VERIFY.md").read_text()
FILE = "fairlead-0.3.0-linux-x86_64.tar.xz"

pytestmark = pytest.mark.skipif(not have("bash", "sha256sum"), reason="needs bash and sha256sum")


def find_commands(heading: str) -> str:
    """The commands below a heading."""
    section = PAGE.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(r"```sh\n(.*?)```", section, re.DOTALL))


def run(folder: Path, commands: str) -> subprocess.CompletedProcess[str]:
    """Run commands beside the downloaded file; curl takes the release's other files from the folder `host`."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    (tools / "curl").write_text(
        '#!/bin/sh\nfor word; do case $word in https://*) cp "$HOST/${word##*/}" . || exit 22 ;; esac; done\n'
    )
    (tools / "curl").chmod(0o755)
    place = "https://github.com/fairlead/fairlead/releases/download/v0.3.0"
    environ = {**os.environ, "HOST": str(folder / "host"), "V": "0.3.0", "F": FILE, "R": place}
    environ["PATH"] = f"{tools}:{environ['PATH']}"
    here = folder / "here"
    here.mkdir(exist_ok=True)
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands], env=environ, cwd=here, capture_output=True, text=True, check=False
    )


@pytest.fixture(name="folder")
def fixture_folder(tmp_path: Path) -> Path:
    release = make_release(tmp_path / "host", "0.3.0")
    assert FILE in {file.name for file in release.files}
    (tmp_path / "here").mkdir()
    shutil.copy(tmp_path / "host" / FILE, tmp_path / "here")
    return tmp_path


def test_pinned_hash(folder: Path):
    """The pin takes the file whose hash was written down, and no other."""
    [curl, check] = find_commands("Pin a file in any CI").splitlines()[:2]
    sums = dict(line.split("  ")[::-1] for line in (folder / "host/SHA256SUMS").read_text().splitlines())
    good = f"{curl}\n{check}".replace("PUT-THE-SHA256-HERE", sums[FILE])
    assert run(folder, good).stdout == f"{FILE}: OK\n"
    assert run(folder, good.replace(sums[FILE], "0" * 64)).returncode != 0


def test_sums(folder: Path):
    """SHA256SUMS is checked for the files that are there."""
    assert run(folder, find_commands("SHA256SUMS")).stdout == f"{FILE}: OK\n"


@pytest.mark.skipif(not have("minisign"), reason="needs minisign")
def test_signature(folder: Path):
    """minisign takes release.json by the public key, and the hash of the file is found in it."""
    key = make_key(folder / "keys")
    sign(folder / "host/release.json", key, "fairlead 0.3.0 2026-12-01")
    done = run(folder, find_commands("The signed description of the release").replace("PUBLIC-KEY", key.public))
    assert done.returncode == 0, done.stderr
    assert "fairlead 0.3.0 2026-12-01" in done.stdout
    sums = (folder / "host/SHA256SUMS").read_text()
    [shown] = re.findall(r'"sha256": "([0-9a-f]{64})"', done.stdout)
    assert f"{shown}  {FILE}" in sums


@pytest.mark.skipif(not have("dpkg-deb"), reason="needs dpkg-deb")
def test_package_holds_the_archive(tmp_path: Path):
    """The program in the deb has the hash of that in the archive."""
    _, out = make(tmp_path / "made", "deb")
    (tmp_path / "here").mkdir()
    for path in (out / "release/fairlead_0.3.0_amd64.deb", tmp_path / "made/release" / FILE):
        shutil.copy(path, tmp_path / "here")
    done = run(tmp_path, find_commands("Packages"))
    first, second = done.stdout.splitlines()
    assert first == second


def test_commands_are_those_of_the_installer():
    """gh and cosign are asked in VERIFY.md as install.sh asks them."""
    script = " ".join((ROOT / "packaging/install.sh").read_text().replace("\\\n", " ").split())
    for words in (
        "--deny-self-hosted-runners",
        "--new-bundle-format --certificate-identity",
        "--certificate-oidc-issuer https://token.actions.githubusercontent.com",
    ):
        assert words in script
        assert words in PAGE
    assert "fairlead/fairlead/.github/workflows/build.yml" in PAGE


@pytest.mark.skipif(not have("shellcheck"), reason="needs shellcheck")
def test_commands_are_plain_shell():
    """shellcheck finds nothing in any of the commands."""
    text = "V=0.3.0 F=x R=https://example.com\nexport V F R\n" + "\n".join(
        re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    )
    done = subprocess.run(["shellcheck", "-s", "bash", "-"], input=text, capture_output=True, text=True, check=False)
    assert done.stdout == ""
