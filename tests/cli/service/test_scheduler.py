"""`fairlead service` with the Task Scheduler, acted out in German: only numbers and XML are read of it."""

import json

import pytest

from router.service.task import judge_task

from .conftest import use


@pytest.fixture
def windows(site, monkeypatch):
    """A user of Windows, whose proxy needs no time to end."""
    use(monkeypatch, "win32")
    site.fairlead.environ |= {"USERNAME": "ann", "USERDOMAIN": "PC", "SYSTEMROOT": r"C:\Windows"}
    site.stopped = []
    for name in ("control", "install", "commands"):
        monkeypatch.setattr(f"router.cli.service.{name}.stop.run", site.stopped.append)
    return site


def test_install_status_restart_uninstall(windows):
    """Registered and run; shown; the proxy is told to end before the task is; deleted."""
    done = windows("install", "--yes")
    assert (done.code, done.err) == (0, "")
    task = windows.fake.state["task"]
    assert judge_task(task) == "current"
    assert f"--headless {windows.folder}/bin/fairlead __service --log {windows.home}/proxy.log" in task
    calls = windows.fake.take_calls()
    assert calls[0].startswith("schtasks /Create /TN fairlead /XML ")
    assert calls[0].endswith(" /F")
    assert calls[1:] == ["schtasks /End /TN fairlead", "schtasks /Run /TN fairlead"]

    report = json.loads(windows("status", "--json").out)
    assert (report["running"], report["state"], report["definition"]) == (True, "running", "current")
    assert report["log"] == f"{windows.home}/proxy.log"
    assert report["program"] == f"{windows.folder}/bin/fairlead"

    windows.fake.take_calls()
    assert windows.stopped == []
    assert windows("restart").code == 0
    assert windows.stopped == [["--port", "3456"]]
    assert windows.fake.take_calls() == ["schtasks /End /TN fairlead", "schtasks /Run /TN fairlead"]

    done = windows("uninstall")
    assert (done.code, done.out) == (0, "The service is stopped and removed (the Task Scheduler, fairlead).\n")
    assert windows.stopped == [["--port", "3456"]] * 2
    assert windows.fake.take_calls() == ["schtasks /End /TN fairlead", "schtasks /Delete /TN fairlead /F"]
    assert "not installed" in windows("status").out


def test_an_edited_task(windows):
    """Another value that matters is left alone without --force."""
    windows("install", "--yes")
    windows.fake.set(task=windows.fake.state["task"].replace("PT0S", "PT72H"))
    assert "the Task Scheduler, fairlead was changed by hand" in windows("install", "--yes").err
    assert windows("install", "--yes", "--force").code == 0
    assert "PT0S" in windows.fake.state["task"]


@pytest.mark.parametrize(
    ("result", "last"), [(267011, ""), (267014, "ended"), (1, "exit code 1"), (-1073741510, "exit code 3221225786")]
)
def test_last_results(windows, result, last):
    """The numbers that the scheduler has for a task that does not run."""
    windows("install", "--yes")
    windows.fake.close()
    (windows.home / "run/3456.json").unlink()
    windows.fake.set(exit=result)
    report = json.loads(windows("status", "--json").out)
    assert (report["running"], report["last_exit"]) == (False, last)
