"""The action setup-fairlead: its script on a runner of this machine's kind, and what action.yml hands to it."""

import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from .fake_release import ROOT, ReleaseHost, have

ACTION = ROOT / ".github" / "actions" / "setup-fairlead"

pytestmark = pytest.mark.skipif(not have("bash", "curl", "xz", "unzip"), reason="needs bash, curl, xz and unzip")


class Runner:
    """A step on a runner that has no gh."""

    def __init__(self, folder: Path, host: ReleaseHost) -> None:
        self.folder, self.host = folder, host
        self.tools = folder / "tools"
        self.tools.mkdir(parents=True)
        self.environ = {
            "PATH": f"{self.tools}:/usr/bin:/bin",
            "HOME": str(folder),
            "RUNNER_OS": "Linux",
            "RUNNER_ARCH": "X64",
            "RUNNER_TEMP": str(folder / "runner's temp"),
            "FAIRLEAD_RELEASES_URL": host.url,
            "INPUT_VERSION": "0.3.0",
            "INPUT_SHA256": self.hash("release.json"),
        }
        for name in ("GITHUB_OUTPUT", "GITHUB_PATH", "GITHUB_ENV"):
            self.environ[name] = str(folder / name)

    def hash(self, name: str) -> str:
        return hashlib.sha256((self.host.folders["0.3.0"] / name).read_bytes()).hexdigest()

    def run(self, **environ: str) -> subprocess.CompletedProcess[str]:
        command = ["bash", str(ACTION / "setup.sh")]
        done = subprocess.run(
            command, env=self.environ | environ, capture_output=True, text=True, timeout=60, check=False
        )
        (self.folder / "log").write_text(done.stdout + done.stderr)
        return done

    def read(self, name: str) -> str:
        path = self.folder / name
        return path.read_text() if path.exists() else ""


@pytest.fixture(name="runner")
def fixture_runner(tmp_path: Path, host: ReleaseHost) -> Iterator[Runner]:
    runner = Runner(tmp_path / "runner", host)
    yield runner
    for started in (tmp_path / "runner").rglob("home/started"):
        os.kill(int(started.read_text().split()[0]), signal.SIGKILL)


def test_pinned_release(runner: Runner):
    """The hash of release.json pins the program of this runner, which comes onto PATH; the outputs say what it is."""
    done = runner.run()
    assert done.returncode == 0, done.stderr
    program = Path(runner.read("GITHUB_PATH").strip()) / "fairlead"
    assert subprocess.check_output([program, "--version"], text=True) == "fairlead 0.3.0\n"
    assert runner.read("GITHUB_OUTPUT") == "version=0.3.0\nurl=\n"
    assert runner.read("GITHUB_ENV") == ""


def test_pinned_archives(runner: Runner):
    """Instead, the hashes of the archives of a matrix may be given, in either case of letters."""
    pins = [
        runner.hash("fairlead-0.3.0-macos-arm64-unsigned.tar.xz"),
        runner.hash("fairlead-0.3.0-linux-x86_64.tar.xz"),
    ]
    assert runner.run(INPUT_SHA256="\n".join(pins).upper()).returncode == 0


def test_windows_runner(runner: Runner):
    """On Windows the zip is taken, and the program in it is fairlead.exe."""
    done = runner.run(RUNNER_OS="Windows", RUNNER_ARCH="ARM64")
    # The stand-in for fairlead.exe is a shell script, which is not marked as a program in a zip.
    assert "fairlead-0.3.0-windows-arm64-unsigned.zip has no program in it" in done.stderr
    assert (Path(runner.environ["RUNNER_TEMP"]) / "fairlead-0.3.0/fairlead/fairlead.exe").is_file()


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"INPUT_SHA256": ""}, "what is not pinned is not installed"),
        ({"INPUT_SHA256": "0" * 64}, "neither that of release.json nor of"),
        ({"INPUT_SHA256": "$(touch hacked)"}, "must be 64 hexadecimal digits"),
        ({"INPUT_VERSION": "latest"}, "version must be such as"),
        ({"INPUT_VERSION": "9.9.9"}, "could not be downloaded"),
        ({"INPUT_PORT": "3456; id"}, "port must be a number"),
        ({"INPUT_START": "maybe"}, "start must be true or false"),
        ({"INPUT_CONFIG": "no.toml"}, "there is no file no.toml"),
        ({"RUNNER_ARCH": "ARM"}, "there is no fairlead for Linux on ARM"),
        ({"FAIRLEAD_RELEASES_URL": "http://example.com"}, "must begin with https://"),
    ],
)
def test_inputs_that_are_refused(runner: Runner, environ: dict[str, str], said: str):
    """A missing or wrong pin, another version and inputs of a wrong form fail the step before anything is on PATH."""
    done = runner.run(**environ)
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert runner.read("GITHUB_PATH") + runner.read("GITHUB_OUTPUT") == ""


def test_tampered_archive(runner: Runner):
    """An archive that differs from the pinned release.json fails the step."""
    path = runner.host.folders["0.3.0"] / "fairlead-0.3.0-linux-x86_64.tar.xz"
    path.write_bytes(path.read_bytes() + b"\0")
    assert "has another SHA-256 than was pinned" in runner.run().stderr
    assert runner.read("GITHUB_PATH") == ""


def test_attestation(runner: Runner):
    """With gh and a token the attestation of the release workflow at this tag is demanded; without, it is said."""
    assert "the attestation was not checked" in runner.run().stdout
    gh = runner.tools / "gh"
    gh.write_text(f'#!/bin/sh\necho "$@" >"{runner.tools}/asked"\nexit 1\n')
    gh.chmod(0o755)
    assert "has no valid attestation" in runner.run(GH_TOKEN="t").stderr
    assert "--source-ref refs/tags/v0.3.0 --deny-self-hosted-runners" in (runner.tools / "asked").read_text()


def test_start(runner: Runner, tmp_path: Path):
    """start runs the proxy on that port with that configuration, in a home of its own that later steps know."""
    config = tmp_path / "ci.toml"
    config.write_text("demo = true\n")
    done = runner.run(INPUT_START="true", INPUT_PORT="0", INPUT_CONFIG=str(config))
    assert done.returncode == 0, done.stderr
    assert runner.read("GITHUB_OUTPUT") == "version=0.3.0\nurl=http://127.0.0.1:3456\n"
    home = Path(runner.read("GITHUB_ENV").strip().removeprefix("FAIRLEAD_HOME="))
    assert (home / "config.toml").read_text() == "demo = true\n"
    assert (home / "started").read_text().split()[1:] == ["proxy", "--port", "0"]


def test_inputs_reach_the_script_by_variables():
    """No input is pasted into a script, and each one that is declared is handed on."""
    action = yaml.safe_load((ACTION / "action.yml").read_text())
    [step] = action["runs"]["steps"]
    assert "${{" not in step["run"]
    assert {name.removeprefix("INPUT_").lower() for name in step["env"]} - {"gh_token"} == set(action["inputs"])
    assert {name for name, one in action["inputs"].items() if one.get("required")} == {"version", "sha256"}
    script = (ACTION / "setup.sh").read_text()
    assert all(name in script for name in step["env"])
    assert set(re.findall(r"'(\w+)=%s", script)) | set(re.findall(r"\\n(\w+)=%s", script)) >= set(action["outputs"])
    assert os.access(ACTION / "setup.sh", os.X_OK)


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_script_is_plain_bash():
    """shellcheck finds nothing in the script."""
    done = subprocess.run(["shellcheck", ACTION / "setup.sh"], capture_output=True, text=True, check=False)
    assert done.stdout == ""
