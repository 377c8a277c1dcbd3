"""Plays of install.sh: a fresh home, a home with a space, a certain version, the other form, and its removal."""

import json
import os
import shutil
import subprocess
from pathlib import Path

from rehearsal.plays import Failed, NotHere, Play, expect
from rehearsal.stage import Stage
from rehearsal.users import User
from rehearsal.versions import NEW, OLD, ROOT

SCRIPT = ROOT / "packaging" / "install.sh"


def play_install_fresh(stage: Stage) -> None:
    """install.sh in a fresh HOME installs the newest release, which runs, and does nothing when run again"""
    said = install(stage.user)
    _check(stage.user, NEW)
    expect("SHA-256 as in release.json" in said, f"it does not say that the hash was checked: {said}")
    demo = stage.user.fairlead("demo", "--once")
    expect(demo.returncode == 0, f"the demo ended with {demo.returncode}: {demo.stderr}")
    before = stage.host.asked.count(_stored(stage))
    expect("installed already" in install(stage.user), "run again, it does not say that it is installed")
    expect(stage.host.asked.count(_stored(stage)) == before, "run again, it downloaded the program again")


def play_install_space(stage: Stage) -> None:
    """install.sh works for an ordinary user whose HOME has a space and a quote in its name"""
    user = stage.make_user('home of "some one"')
    install(user)
    _check(user, NEW)
    receipt = json.loads((user.prefix / "receipt.json").read_text("utf-8"))
    expect(receipt["link"] == str(user.program), f"the receipt has another link: {receipt}")


def play_install_version(stage: Stage) -> None:
    """install.sh --version installs that version beside the newer one, by the bytes that --sha256 pins"""
    install(stage.user)
    install(stage.user, "--version", OLD, "--sha256", hash_of(stage.old.archive))
    _check(stage.user, OLD)
    expect((stage.user.prefix / "versions" / NEW).is_dir(), "the other version is gone")
    refused = run_script(stage.user, "--version", NEW, "--force", "--sha256", "0" * 64)
    expect(refused.returncode == 1 and "SHA-256" in refused.stderr, f"another hash was taken: {refused.stderr}")
    _check(stage.user, OLD)


def play_install_missing(stage: Stage) -> None:
    """install.sh of a version that was never released says so and leaves nothing"""
    done = run_script(stage.user, "--version", "0.93.0")
    expect(done.returncode == 1, f"it ended with {done.returncode}")
    expect("there is no release 0.93.0" in done.stderr, done.stderr)
    expect(not stage.user.prefix.exists(), "something was left")


def play_install_file(stage: Stage) -> None:
    """install.sh --form file installs the program in one file, which runs"""
    if stage.new.file is None:
        raise NotHere("the program in one file, which the whole rehearsal builds")
    install(stage.user, "--form", "file")
    _check(stage.user, NEW)
    receipt = json.loads((stage.user.prefix / "receipt.json").read_text("utf-8"))
    expect(receipt["form"] == "file", f"the receipt says {receipt}")


def play_install_signed(stage: Stage) -> None:
    """install.sh with the release's keys in it has minisign verify release.json, and --require-signature holds"""
    need("minisign")
    script = with_keys(stage)
    said = install(stage.user, "--require-signature", script=script)
    expect("signature    ok" in said, said)


def play_install_removed(stage: Stage) -> None:
    """install.sh --uninstall removes what it installed and leaves the user's settings"""
    install(stage.user)
    done = stage.user.fairlead("config", "set", "port", "3999")
    expect(done.returncode == 0, f"config set ended with {done.returncode}: {done.stderr}")
    kept = stage.user.home / ".fairlead"
    install(stage.user, "--uninstall")
    expect(not stage.user.prefix.exists() and not stage.user.program.is_symlink(), "something was left")
    expect(kept.is_dir(), "the settings are gone too")


# For other plays as well


def run_script(user: User, *options: str, script: Path = SCRIPT) -> subprocess.CompletedProcess[str]:
    """Run install.sh as `curl … | sh -s -- OPTIONS` does."""
    return user.run("sh", "-s", "--", *options, stdin=script)


def install(user: User, *options: str, script: Path = SCRIPT) -> str:
    """Run install.sh, which must end well; what it said."""
    done = run_script(user, *options, script=script)
    expect(done.returncode == 0, f"install.sh ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def with_keys(stage: Stage) -> Path:
    """install.sh with the trusted keys written into it, as a release publishes it."""
    script = stage.folder / "install.sh"
    text = SCRIPT.read_text("utf-8")
    line = f"public_keys='{' '.join(stage.keys.trusted)}'"
    expect("public_keys=''" in text, "install.sh has no place for the public keys")
    script.write_text(text.replace("public_keys=''", line, 1), "utf-8")
    script.chmod(0o644)
    return script


def need(*programs: str) -> None:
    """Raise NotHere unless these programs are installed."""
    lacking = [name for name in programs if shutil.which(name, path=f"/usr/sbin:/sbin:{os.defpath}") is None]
    if lacking:
        raise NotHere(", ".join(lacking))


def hash_of(path: Path) -> str:
    """The SHA-256 of a file in hexadecimal digits."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _stored(stage: Stage) -> str:
    return f"/stored/v{NEW}/{stage.new.archive.name}?expires=1"


def _check(user: User, version: str) -> None:
    said = user.version()
    if said != f"fairlead {version}":
        raise Failed(f"`fairlead --version` says {said!r}, not {version}")


PLAYS: tuple[Play, ...] = (
    play_install_fresh,
    play_install_space,
    play_install_version,
    play_install_missing,
    play_install_file,
    play_install_signed,
    play_install_removed,
)
SHORT: tuple[Play, ...] = (play_install_fresh, play_install_space, play_install_missing)
