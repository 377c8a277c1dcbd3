"""Plays of VERIFY.md: its commands as they stand there, wherever they need no network but the release's own host."""

import re

from rehearsal.installing import hash_of, need
from rehearsal.plays import Play, expect
from rehearsal.stage import Stage
from rehearsal.versions import NEW, ROOT

PAGE = ROOT / "packaging" / "VERIFY.md"


def play_verify_pin(stage: Stage) -> None:
    """the lines that pin a file in any CI take the file, and refuse another hash; gh's attestation is not played"""
    need("bash", "curl")
    curl, check, attest = _commands("Pin a file in any CI").splitlines()
    expect(attest.startswith("gh attestation verify"), f"the third line is another: {attest}")
    good = check.replace("PUT-THE-SHA256-HERE", hash_of(stage.new.archive))
    said = _run(stage, f"{curl}\n{good}")
    expect(f"{stage.new.archive.name}: OK" in said, said)
    done = stage.user.run("bash", "-euc", good.replace(hash_of(stage.new.archive), "0" * 64), environ=_values(stage))
    expect(done.returncode != 0, f"another hash was taken: {done.stdout}")


def play_verify_sums(stage: Stage) -> None:
    """SHA256SUMS of the release is checked by its command"""
    need("bash", "curl")
    curl = _commands("Pin a file in any CI").splitlines()[0]
    said = _run(stage, f"{curl}\n{_commands('SHA256SUMS')}")
    expect(f"{stage.new.archive.name}: OK" in said, said)


def play_verify_signature(stage: Stage) -> None:
    """minisign verifies release.json by its command with the release's key, which names the archive's hash"""
    need("bash", "curl", "minisign")
    commands = _commands("The signed description of the release").replace("PUBLIC-KEY", stage.keys.trusted[0])
    said = _run(stage, commands)
    expect(f"fairlead {NEW} " in said, f"its trusted comment is not shown: {said}")
    expect(hash_of(stage.new.archive) in said, f"the archive's hash is not shown: {said}")


def play_verify_packages(stage: Stage) -> None:
    """the deb holds the program of the archive byte for byte, by the commands that compare them"""
    need("bash", "dpkg-deb", "rpmbuild")
    [deb] = (stage.write_channels("deb") / "release").glob("*_amd64.deb")
    (stage.user.home / deb.name).write_bytes(deb.read_bytes())
    (stage.user.home / stage.new.archive.name).write_bytes(stage.new.archive.read_bytes())
    hashes = re.findall(r"^[0-9a-f]{64}", _run(stage, _commands("Packages")), re.MULTILINE)
    expect(len(hashes) == 2 and hashes[0] == hashes[1], f"they differ: {hashes}")


def _commands(heading: str) -> str:
    """The commands below a heading of the page."""
    text = PAGE.read_text("utf-8")
    expect(f"## {heading}\n" in text, f"VERIFY.md has no part '{heading}'")
    section = text.split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]
    return "\n".join(re.findall(r"```sh\n(.*?)\n```", section, re.DOTALL))


def _values(stage: Stage) -> dict[str, str]:
    """What the page calls V, F and R."""
    return {"V": NEW, "F": stage.new.archive.name, "R": f"{stage.host.url}/download/v{NEW}"}


def _run(stage: Stage, commands: str) -> str:
    done = stage.user.run("bash", "-euo", "pipefail", "-c", commands, environ=_values(stage))
    expect(done.returncode == 0, f"{commands}\nended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout + done.stderr


PLAYS: tuple[Play, ...] = (play_verify_pin, play_verify_sums, play_verify_signature, play_verify_packages)
SHORT: tuple[Play, ...] = (play_verify_pin, play_verify_sums, play_verify_signature)
