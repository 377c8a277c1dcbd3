"""Plays of a pinned artifact in CI: the script of the action setup-fairlead."""

from typing import TYPE_CHECKING

from rehearsal.installing import hash_of, need
from rehearsal.plays import Play, expect
from rehearsal.stage import Stage
from rehearsal.versions import NEW, OLD, ROOT

if TYPE_CHECKING:
    import subprocess

SCRIPT = ROOT / ".github" / "actions" / "setup-fairlead" / "setup.sh"


def play_action(stage: Stage) -> None:
    """the script of setup-fairlead installs what its hash pins, puts it on PATH, starts it, and refuses another hash"""
    need("bash", "curl", "xz")
    refused = _run(stage, hash_of(stage.old.files / "release.json"))
    expect(refused.returncode != 0 and "sha256" in refused.stderr, f"another hash: {refused.stdout}{refused.stderr}")
    done = _run(stage, hash_of(stage.new.files / "release.json"), INPUT_START="true", INPUT_PORT="0")
    expect(done.returncode == 0, f"it ended with {done.returncode}: {done.stdout}{done.stderr}")
    outputs = _read(stage, "output")
    expect(f"version={NEW}\n" in outputs and "url=http://" in outputs, f"its outputs are {outputs!r}")
    program = f"{_read(stage, 'path').strip()}/fairlead"
    home = _read(stage, "env").strip().partition("=")[2]
    try:
        said = stage.user.run(program, "status", environ={"FAIRLEAD_HOME": home})
        expect(said.returncode == 0 and NEW in said.stdout, f"status: {said.stdout}{said.stderr}")
    finally:
        ended = stage.user.run(program, "stop", environ={"FAIRLEAD_HOME": home})
    expect(ended.returncode == 0, f"stop ended with {ended.returncode}: {ended.stderr}")


def play_action_pin(stage: Stage) -> None:
    """setup-fairlead takes the hash of this system's archive too, and refuses a version that its hash is not of"""
    need("bash", "curl", "xz")
    done = _run(stage, hash_of(stage.new.archive))
    expect(done.returncode == 0, f"it ended with {done.returncode}: {done.stdout}{done.stderr}")
    refused = _run(stage, hash_of(stage.new.archive), INPUT_VERSION=OLD)
    expect(refused.returncode != 0, f"it installed {OLD} by the hash of {NEW}: {refused.stdout}")


def _run(stage: Stage, pin: str, **inputs: str) -> "subprocess.CompletedProcess[str]":
    """Run the script as a runner does, with new files for what it tells the runner."""
    place = stage.user.home / "runner"
    place.mkdir(exist_ok=True)
    stage.user.own(place)
    for name in ("output", "path", "env"):
        (place / name).write_text("", "utf-8")
        stage.user.own(place / name)
    told = {f"GITHUB_{name.upper()}": str(place / name) for name in ("output", "path", "env")}
    machine = "ARM64" if "arm64" in stage.new.archive.name else "X64"
    runner = {"RUNNER_OS": "Linux", "RUNNER_ARCH": machine, "RUNNER_TEMP": str(place)}
    environ = {**told, **runner, "INPUT_VERSION": NEW, "INPUT_SHA256": pin, **inputs}
    return stage.user.run("bash", "-s", stdin=SCRIPT, environ=environ)


def _read(stage: Stage, name: str) -> str:
    return (stage.user.home / "runner" / name).read_text("utf-8")


PLAYS: tuple[Play, ...] = (play_action, play_action_pin)
SHORT: tuple[Play, ...] = (play_action,)
