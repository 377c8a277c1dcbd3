"""The check of the service: what `fairlead service status` notes, with verdicts."""

import pytest

from router.cli.doctor.checks import service
from router.errors import CommandError

from .conftest import find_rows, look

REPORT = {"manager": "systemd", "running": True, "program": "/opt/fairlead", "notes": []}


@pytest.fixture
def judge(fairlead, monkeypatch):
    """Verdict, text and what to do, for a report."""

    def run(**fields):
        monkeypatch.setattr(service, "find_installed", object)
        monkeypatch.setattr(service, "describe", lambda found: {**REPORT, **fields})
        return [(row.status, row.text, row.fix) for row in find_rows(look(fairlead), service.check_service)]

    return run


def test_none_is_installed(fairlead, monkeypatch):
    """That is no fault, nor is a system without a manager."""
    monkeypatch.setattr(service, "find_installed", lambda: None)
    assert find_rows(look(fairlead), service.check_service) == []

    def refuse():
        raise CommandError("there is no service for this system.")

    monkeypatch.setattr(service, "find_installed", refuse)
    assert find_rows(look(fairlead), service.check_service) == []


def test_one_that_runs(judge):
    """Which program it starts."""
    assert judge() == [("ok", "systemd: running, starts /opt/fairlead", "")]


@pytest.mark.parametrize(
    ("note", "verdict", "text", "fix"),
    [
        (
            "/opt/fairlead is not there. Write it anew: fairlead service install",
            "fail",
            "/opt/fairlead is not there",
            "Write it anew: fairlead service install",
        ),
        (
            "it is of an older fairlead. Write it anew: fairlead service install",
            "warn",
            "it is of an older fairlead",
            "Write it anew: fairlead service install",
        ),
        (
            "it ends with your last session. Have it go on: loginctl enable-linger",
            "warn",
            "it ends with your last session. Have it go on",
            "loginctl enable-linger",
        ),
        ("it was not written by fairlead", "warn", "it was not written by fairlead", "See: fairlead service status"),
    ],
)
def test_what_is_wrong(judge, note, verdict, text, fix):
    """A program that is gone fails: nothing would start."""
    assert judge(notes=[note]) == [(verdict, text, fix)]
