"""Plays of attacks on a release and of a machine that fails: each is refused with a clear error, by `fairlead upgrade`
and by install.sh, and the old version still runs."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator

from rehearsal.installing import SCRIPT, install, need, run_script, with_keys
from rehearsal.plays import NotHere, Play, expect
from rehearsal.stage import Stage, add_other_systems, describe, make_certificate, sign
from rehearsal.users import User, is_root
from rehearsal.versions import NEW, OLD, Version

MANIFEST, SIGNATURE = "release.json", "release.json.minisig"
#: Of a download that broke off, in the error of `upgrade`.
CUT = "could not be downloaded from .*: .* closed the connection before its answer was complete"


def play_attack_archive(stage: Stage) -> None:
    """an archive with one changed byte is refused for its hash"""
    stage.host.faults.changed[stage.new.archive.name] = _flip
    _expect_refusals(stage, upgrade="hash|SHA-256", script="another SHA-256")


def play_attack_manifest(stage: Stage) -> None:
    """a release.json that names another hash is refused, since its signature covers it"""
    good, other = _hash_named(stage.new), "0" * 64
    stage.host.faults.changed[MANIFEST] = lambda data: data.replace(good.encode(), other.encode())
    _expect_refusals(stage, upgrade="signature of release.json was refused", script="another SHA-256")


def play_attack_signature(stage: Stage) -> None:
    """a changed signature, a missing one, and one by a key that the program does not know are refused by upgrade"""
    for pattern in _spoil_signature(stage, changed="was refused", missing="minisig: .* 404", unknown="key"):
        _expect_refusals(stage, upgrade=pattern)


def play_attack_signed_script(stage: Stage) -> None:
    """install.sh with the release's keys in it refuses a changed release.json, and each wrong signature of it"""
    need("minisign")
    user, script, wrong = _install_old(stage), with_keys(stage), "signature of release.json is wrong"
    stage.host.faults.changed[MANIFEST] = lambda data: data.replace(b'"notes"', b'"Notes"')
    _check_refusal(user, run_script(user, script=script), wrong)
    stage.host.faults.changed.clear()
    for pattern in _spoil_signature(stage, changed=wrong, missing="has no signature", unknown=wrong):
        _check_refusal(user, run_script(user, script=script), pattern)


def play_attack_comment(stage: Stage) -> None:
    """a good signature whose trusted comment names another release is refused by upgrade"""
    version = publish(stage, NEW, stage.new)
    sign(version.files / MANIFEST, stage.keys.current, "--comment", "fairlead 0.99.0 2026-01-01")
    _expect_refusals(stage, upgrade="0.99.0")


def play_attack_replay(stage: Stage) -> None:
    """an older release.json with its good signature, in the place of the newest, is refused"""
    old = publish(stage, "0.90.0", stage.old)
    stage.host.latest = old.number
    _expect_refusals(stage, upgrade=f"{OLD} is installed, and the newest", script=f"{OLD} is installed, and the newest")


def play_attack_renamed(stage: Stage) -> None:
    """the signed release.json of one version at the address of another is refused"""
    stage.host.releases[NEW] = stage.old.files
    _expect_refusals(
        stage, "--to", NEW, upgrade=f"{NEW} was asked for", script=f"release.json of {NEW} is that of {OLD}"
    )


def play_attack_expired(stage: Stage) -> None:
    """a release.json that expired is not taken as the newest"""
    version = publish(stage, NEW, stage.new)
    describe(version.files, version, stage.keys.current, "--date", "2020-01-01", "--days", "400")
    _expect_refusals(stage, upgrade="expired", script="has expired")


def play_attack_system(stage: Stage) -> None:
    """a release without a program for this system is refused, and so is another system's program under our name"""
    version = publish(stage, NEW, stage.new)
    version.archive.unlink()
    if version.file:
        version.file.unlink()
    describe(version.files, version, stage.keys.current)
    _expect_refusals(stage, upgrade="does not have a program", script="has no program for")
    [foreign] = version.files.glob(f"fairlead-{NEW}-macos-arm64*.tar.xz")
    shutil.copyfile(foreign, version.files / stage.new.archive.name)
    describe(version.files, version, stage.keys.current)
    _expect_refusals(
        stage, upgrade="does not (run|start)|cannot be (run|started)|not run", script="does not run on this"
    )


def play_attack_redirect(stage: Stage) -> None:
    """a redirect to another host, or from https to http, is not followed"""
    name, port = stage.new.archive.name, stage.host.port
    for url in (f"https://127.0.0.1:{port}/stored/v{NEW}/{name}", f"http://localhost:{port}/stored/v{NEW}/{name}"):
        stage.host.faults.elsewhere[name] = url
        _expect_refusals(stage, upgrade="not a place of releases", script="is not where releases are")
    expect(not any(path.startswith(f"/stored/v{NEW}/{name}") for path in stage.host.asked), "the redirect was followed")


def play_attack_cut(stage: Stage) -> None:
    """a download that breaks off is refused, and the next one succeeds"""
    name = stage.new.archive.name
    stage.host.faults.cut[name] = 1 << 20
    user = _expect_refusals(stage, upgrade=CUT, script=rf"{re.escape(name)}\S* could not be downloaded")
    stage.host.faults.cut.clear()
    done = user.fairlead("upgrade")
    expect(done.returncode == 0 and user.version() == f"fairlead {NEW}", f"then: {done.stdout}{done.stderr}")


def play_attack_authority(stage: Stage) -> None:
    """a host whose certificate is from an authority that is not trusted gets no request"""
    user = _install_old(stage)
    asked = len(stage.host.asked)
    other = stage.folder / "other"
    other.mkdir()
    authority, _ = make_certificate(other)
    done = user.fairlead("upgrade", environ={"FAIRLEAD_TLS_CA_FILE": str(authority)})
    _check_refusal(user, done, "certificate")
    done = user.run("sh", "-s", stdin=SCRIPT, environ={"CURL_CA_BUNDLE": str(authority)})
    _check_refusal(user, done, "could not be downloaded")
    expect(len(stage.host.asked) == asked, f"it was asked for {stage.host.asked[asked:]}")


def play_attack_disk(stage: Stage) -> None:
    """on a disk that is full, upgrade and install.sh say so and leave the old version"""
    if not is_root():
        raise NotHere("root, to mount a small file system")
    small = stage.folder / "small"
    small.mkdir()
    # The old version fits, and half of the new one.
    size = _unpacked(stage.old) * 3 // 2 >> 10
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", small], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        raise NotHere("the right to mount a small file system") from None
    try:
        small.chmod(0o755)
        user = stage.make_user("small/home")
        install(user, "--version", OLD)
        _check_refusal(user, user.fairlead("upgrade"), "free|space|full")
        _check_refusal(user, run_script(user), "disk full|No space")
    finally:
        subprocess.run(["umount", small], check=True)


def play_attack_permission(stage: Stage) -> None:
    """where nothing may be written, upgrade and install.sh say so and leave the old version"""
    user = _install_old(stage)
    folders = (user.prefix, user.prefix / "versions")
    for folder in folders:
        folder.chmod(0o555)
    try:
        _check_refusal(user, user.fairlead("upgrade"), "cannot be written|[Pp]ermission")
        _check_refusal(user, run_script(user), "cannot be written|[Pp]ermission")
    finally:
        for folder in folders:
            folder.chmod(0o755)


# How they are played


def publish(stage: Stage, number: str, source: Version) -> Version:
    """A copy of a version's published files under another number or for changes, on the stage's host and signed."""
    files = stage.folder / f"release-{number}"
    if not files.exists():
        files.mkdir()
        for path in source.files.iterdir():
            if path.name.startswith("fairlead-"):
                (files / path.name.replace(source.number, number)).hardlink_to(path)
        add_other_systems(files, number)
    version = Version(number, files, source.tree)
    describe(files, version, stage.keys.current, number=number)
    stage.host.releases[number] = files
    return version


def _spoil_signature(stage: Stage, *, changed: str, missing: str, unknown: str) -> Iterator[str]:
    """Make the newest release's signature wrong in each way; yields the pattern of its error meanwhile."""
    stage.host.faults.changed[SIGNATURE] = _change_base64
    yield changed
    stage.host.faults.changed.clear()
    stage.host.faults.missing.add(SIGNATURE)
    yield missing
    stage.host.faults.missing.clear()
    foreign = publish(stage, NEW, stage.new)
    describe(foreign.files, foreign, stage.keys.unknown)
    yield unknown


def _expect_refusals(stage: Stage, *options: str, upgrade: str, script: str = "") -> User:
    """Try `upgrade` and install.sh from the old version. upgrade, script: patterns of their errors."""
    user = _install_old(stage)
    _check_refusal(user, user.fairlead("upgrade", *options), upgrade)
    if script:
        chosen = ("--version", options[1]) if options else ()
        _check_refusal(user, run_script(user, *chosen), script)
    return user


def _install_old(stage: Stage) -> User:
    """The stage's user with the old version, from a host without faults."""
    user = stage.user
    if user.program.exists():
        return user
    faults, latest, releases = stage.host.faults, stage.host.latest, dict(stage.host.releases)
    stage.host.faults, stage.host.releases = type(faults)(), {OLD: stage.old.files}
    install(user, "--version", OLD)
    stage.host.faults, stage.host.latest, stage.host.releases = faults, latest, releases
    return user


def _check_refusal(user: User, done: "subprocess.CompletedProcess[str]", pattern: str) -> None:
    said = f"{done.args[0]} ended with {done.returncode}: {done.stdout}{done.stderr}"
    expect(done.returncode not in (0, 2), said)
    expect("error: " in done.stderr and "Traceback" not in done.stderr, said)
    expect(re.search(pattern, done.stderr), f"no word of /{pattern}/: {said}")
    expect(user.version() == f"fairlead {OLD}", f"afterwards `fairlead --version` says {user.version()!r}")
    left = sorted(path.name for path in (user.prefix / "versions").iterdir())
    expect(left == [OLD], f"afterwards there are the versions {left}")


def _flip(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


def _change_base64(data: bytes) -> bytes:
    """Another letter in the middle of the signature, its second line."""
    lines = data.split(b"\n")
    middle = len(lines[1]) // 2
    other = b"A" if lines[1][middle : middle + 1] != b"A" else b"B"
    lines[1] = lines[1][:middle] + other + lines[1][middle + 1 :]
    return b"\n".join(lines)


def _hash_named(version: Version) -> str:
    return _entry(version)["sha256"]


def _unpacked(version: Version) -> int:
    return int(_entry(version)["unpacked"])


def _entry(version: Version) -> dict[str, str]:
    release = json.loads((version.files / MANIFEST).read_text("utf-8"))
    return next(file for file in release["files"] if file["name"] == version.archive.name)


PLAYS: tuple[Play, ...] = (
    play_attack_archive,
    play_attack_manifest,
    play_attack_signature,
    play_attack_signed_script,
    play_attack_comment,
    play_attack_replay,
    play_attack_renamed,
    play_attack_expired,
    play_attack_system,
    play_attack_redirect,
    play_attack_cut,
    play_attack_authority,
    play_attack_disk,
    play_attack_permission,
)
SHORT: tuple[Play, ...] = PLAYS
