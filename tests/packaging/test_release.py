"""packaging/release.py: what it writes describes the files that are there, and is what `fairlead upgrade` verifies."""

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import msgspec
import pytest

from router.installation.upgrade import minisign
from router.installation.upgrade.manifest import Release
from router.installation.upgrade.release_keys import PUBLIC_KEYS
from router.store.database.migrations import MIGRATIONS

ROOT = Path(__file__).parents[2]


def run(*words, root=ROOT, **environ):
    """Run the script; its exit code and output."""
    done = subprocess.run(
        [sys.executable, "-W", "error", str(root / "packaging" / "release.py"), *map(str, words)],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


@pytest.fixture
def key(tmp_path):
    """An unencrypted key: deriving one from a password takes a second."""
    assert run("new-key", tmp_path / "key")[0] == 0
    return tmp_path / "key"


@pytest.fixture
def dist(tmp_path):
    """A folder of made-up programs."""
    folder = tmp_path / "dist"
    (folder / "fairlead").mkdir(parents=True)
    inner = folder / "fairlead" / "fairlead"
    inner.write_bytes(b"x" * 1000)
    with tarfile.open(folder / "fairlead-0.3.0-linux-x86_64-musl.tar.xz", "w:xz") as tar:
        tar.add(folder / "fairlead", "fairlead")
    with zipfile.ZipFile(folder / "fairlead-0.3.0-windows-arm64-unsigned.zip", "w") as packed:
        packed.write(inner, "fairlead/fairlead.exe")
    (folder / "fairlead-macos-arm64").write_bytes(b"macos")
    (folder / "fairlead-windows-x86_64.exe").write_bytes(b"windows")
    (folder / "fairlead-0.3.0.cdx.json").write_bytes(b"{}")
    return folder


def test_every_program_is_described(dist, key):
    """By system, form, size, hash and what it unpacks to; other files only stand in SHA256SUMS."""
    code, said = run(dist, "--version", "0.3.0", "--key", key, "--date", "2026-12-01")
    assert code == 0, said
    data = (dist / "release.json").read_bytes()
    release = msgspec.json.decode(data, type=Release)
    places = {(file.os, file.arch, file.libc, file.form, file.signed): file for file in release.files}
    assert [*places] == [
        ("linux", "x86_64", "musl", "folder", False),
        ("windows", "arm64", "", "folder", False),
        ("macos", "arm64", "", "file", True),
        ("windows", "x86_64", "", "file", True),
    ]
    for file in release.files:
        content = (dist / file.name).read_bytes()
        assert (file.size, file.sha256) == (len(content), hashlib.sha256(content).hexdigest())
    assert [file.unpacked for file in release.files] == [1000, 1000, 5, 7]
    assert (release.version, release.date, release.expires) == ("0.3.0", "2026-12-01", "2028-01-05")
    assert release.history_schema == len(MIGRATIONS)
    public = key.with_name("key.pub").read_text()
    signature = (dist / "release.json.minisig").read_bytes()
    assert minisign.verify(data, signature, [public]) == "fairlead 0.3.0 2026-12-01"


def test_the_sums_are_of_all_files(dist, key):
    """In the form that sha256sum reads, itself left out."""
    assert run(dist, "--version", "0.3.0", "--key", key)[0] == 0
    lines = (dist / "SHA256SUMS").read_text().splitlines()
    assert [line.split("  ")[1] for line in lines] == sorted(
        path.name for path in dist.iterdir() if path.is_file() and path.name != "SHA256SUMS"
    )
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((dist / name).read_bytes()).hexdigest() == digest


def test_two_runs_write_the_same(dist, key):
    """A release can be made anew and compared."""
    found = []
    for _ in range(2):
        assert run(dist, "--version", "0.3.0", "--key", key, SOURCE_DATE_EPOCH="1796083200")[0] == 0
        found.append({path.name: path.read_bytes() for path in dist.iterdir() if path.is_file()})
    assert found[0] == found[1]
    assert b'"date": "2026-12-01"' in found[0]["release.json"]


def test_notes_are_the_entry_of_the_changelog(dist, key):
    """Of this version, cut at 2,000 characters."""
    assert run(dist, "--version", "0.3.0", "--key", key)[0] == 0
    assert msgspec.json.decode((dist / "release.json").read_bytes())["notes"] == ""
    (dist / "notes").write_text("x" * 3000)
    assert run(dist, "--version", "0.3.0", "--key", key, "--notes", dist / "notes")[0] == 0
    assert len(msgspec.json.decode((dist / "release.json").read_bytes())["notes"]) == 2000


def test_refusals(dist, key, tmp_path):
    """Files of another version, two for one system, none at all, a version of another form, a key that is none."""
    for words, expected in (
        ((dist, "--version", "0.4.0", "--key", key), "of another version than 0.4.0"),
        ((dist, "--version", "v0.3.0", "--key", key), "MAJOR.MINOR.PATCH"),
        ((tmp_path, "--version", "0.3.0", "--key", key), "holds no program"),
        ((dist, "--version", "0.3.0", "--key", dist / "fairlead-0.3.0.cdx.json"), "not a secret key"),
        ((dist, "--version", "0.3.0", "--key", key, "--date", "today"), "YYYY-MM-DD"),
    ):
        code, said = run(*words)
        assert (code, expected in said, "Traceback" in said) == (1, True, False), said
    (dist / "fairlead-macos-arm64-unsigned").write_bytes(b"twice")
    assert "are for one system" in run(dist, "--version", "0.3.0", "--key", key)[1]


def test_sign_and_verify(dist, key):
    """Any file; a changed one, or one without a signature, is refused."""
    file = dist / "fairlead-macos-arm64"
    public = key.with_name("key.pub")
    assert run("sign", file, "--key", key)[0] == 0
    assert run("verify", file, "--public", public)[0] == 0
    assert run("verify", file, "--public", public.read_text().splitlines()[1])[0] == 0
    file.write_bytes(b"other")
    assert "does not fit" in run("verify", file, "--public", public)[1]
    assert "cannot be read" in run("verify", dist / "fairlead-windows-x86_64.exe", "--public", public)[1]


def test_the_workflow_stops_without_two_keys():
    """`check-keys` counts the keys of the sources that it stands in."""
    code, said = run("check-keys")
    assert (code, "fewer than two keys" in said) == ((0, False) if len({*PUBLIC_KEYS}) > 1 else (1, True))


def test_other_sources_than_those_that_are_installed(tmp_path):
    """A copy with keys of its own counts these, whatever fairlead the Python has."""
    for name in ("router", "packaging"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    public = []
    for name in ("a", "b"):
        assert run("new-key", tmp_path / name)[0] == 0
        public.append((tmp_path / f"{name}.pub").read_text().splitlines()[1])
    keys = tmp_path / "router" / "installation" / "upgrade" / "release_keys.py"
    keys.write_text(f"PUBLIC_KEYS: tuple[str, ...] = {tuple(public)!r}\n")
    code, said = run("check-keys", root=tmp_path)
    assert (code, len(said.split())) == (0, 2), said
