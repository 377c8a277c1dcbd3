"""Runs `fairlead doctor` in this process, on a home, an empty PATH and variables of a test's own."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
import trio

from router.cli.doctor.checks import program
from router.cli.doctor.row import Row
from router.cli.doctor.runner import run_checks
from router.cli.doctor.situation import look_around
from router.cli.doctor.table import list_checks
from router.net.control import local_servers

from ..setup.conftest import InProcess


class Report(NamedTuple):
    """What a run found."""

    code: int
    #: As JSON has them.
    rows: list[dict]

    def find(self, identity, status=None):
        """The rows of a check, with a verdict where one is given."""
        return [row for row in self.rows if row["id"] == identity and status in (None, row["status"])]

    def get(self, identity):
        """The only row of a check."""
        (row,) = self.find(identity)
        return row

    def wrong(self):
        """The checks that warn or fail."""
        return [(row["id"], row["status"]) for row in self.rows if row["status"] in ("warn", "fail")]


@pytest.fixture
def fairlead(tmp_path, monkeypatch, capsys):
    """Runs fairlead commands in this process. What else is on this machine is not looked at."""
    command = InProcess(tmp_path, monkeypatch, capsys)
    programs = tmp_path / "bin"
    programs.mkdir()
    command.environ["PATH"] = str(programs)
    monkeypatch.setattr(local_servers, "PORTS", {})
    # The tests may run with few descriptors.
    monkeypatch.setattr(program, "_DESCRIPTORS", 0)
    yield command
    command.close()


@pytest.fixture
def examine(fairlead):
    """Runs some checks, all where none is named."""

    def run(*names, **environ):
        done = fairlead("doctor", *names, "--json", **environ)
        assert done.err == ""
        return Report(done.code, json.loads(done.out)["rows"])

    return run


@pytest.fixture
def put_program(fairlead):
    """Puts a program on PATH that prints a text."""

    def put(name, text="", folder="bin"):
        path = fairlead.folder / folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{text}'\n")
        path.chmod(0o755)
        return path

    return put


def look(fairlead, **options):
    """The situation of a home."""
    flags = {"offline": False, "probe": False, **options}
    return trio.run(lambda: look_around(dict(fairlead.environ), Path(fairlead.folder), **flags))


def find_rows(situation, check):
    """What a check finds in a situation."""

    async def run():
        rows = check(situation)
        return await rows if hasattr(rows, "__await__") else rows

    found = trio.run(run)
    assert all(isinstance(row, Row) for row in found)
    return list(found)


def run_all(situation):
    """What all checks find in a situation."""
    return trio.run(run_checks, list_checks(situation), situation)


def run_shell(command, cwd):
    """Run what a row tells to do."""
    subprocess.run(["/bin/sh", "-c", command], check=True, cwd=cwd, env={"PATH": os.defpath, "HOME": str(cwd)})


needs_modes = pytest.mark.skipif(sys.platform == "win32", reason="there are no modes")
