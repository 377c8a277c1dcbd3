"""A process that systemd has started knows its unit by what systemd says, and by nothing that it inherits."""

import os
import sys

import pytest

from router.host.service.unit import ServiceUnit, find_service_unit

USER = "/user.slice/user-1000.slice/user@1000.service"
GROUPS = {
    "a user's": (f"0::{USER}/app.slice/fairlead.service\n", ServiceUnit("fairlead.service", True)),
    "the system's": ("0::/system.slice/fairlead.service\n", ServiceUnit("fairlead.service", False)),
    "an instance": (f"0::{USER}/app.slice/app-fl.slice/fl@a.service\n", ServiceUnit("fl@a.service", True)),
    "the first version of groups": (
        f"12:pids:/x.service\n1:name=systemd:{USER}/fairlead.service\n0::/\n",
        ServiceUnit("fairlead.service", True),
    ),
    "a terminal's scope": (f"0::{USER}/app.slice/vte-spawn-1.scope\n", None),
    "a container": ("0::/\n", None),
    "a group inside of the unit": ("0::/system.slice/fairlead.service/inner\n", None),
    "another's groups": ("5:cpu:/system.slice/fairlead.service\n", None),
    "a name that no unit has": (f"0::/{'x' * 300}.service\n", None),
    "control characters": ("0::/x\x1b[2J.service\n", None),
    "no text": ("\n:\n::::\n", None),
}


@pytest.fixture
def groups(tmp_path):
    """Writes the control groups of this process."""

    def write(text):
        (tmp_path / "self").mkdir()
        (tmp_path / "self/cgroup").write_text(text)
        return tmp_path

    return write


@pytest.mark.parametrize("case", GROUPS)
def test_the_unit_of_a_control_group(groups, case):
    """The unit is the last part of systemd's own path, and a user's is below that user's manager."""
    text, unit = GROUPS[case]
    assert find_service_unit({"SYSTEMD_EXEC_PID": str(os.getpid())}, proc=groups(text)) == unit


@pytest.mark.parametrize("said", [None, "", "1", "PARENT", "0OWN", "x"])
def test_a_child_of_a_unit_is_none(groups, said):
    """What a service has started, as a desktop its terminals, has its control group and is not restarted with it."""
    proc = groups(f"0::{USER}/app.slice/konsole.service\n")
    if said is not None:
        said = said.replace("PARENT", str(os.getppid())).replace("OWN", str(os.getpid()))
    assert find_service_unit({} if said is None else {"SYSTEMD_EXEC_PID": said}, proc=proc) is None


def test_one_file_is_started_by_its_loader(groups, monkeypatch):
    """systemd says the number of the loader, which is the parent of the program."""
    proc = groups("0::/system.slice/fairlead.service\n")
    environ = {"SYSTEMD_EXEC_PID": str(os.getppid())}
    assert find_service_unit(environ, proc=proc) is None
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert find_service_unit(environ, proc=proc) == ServiceUnit("fairlead.service", False)


def test_without_proc(tmp_path):
    """Other systems have no such file."""
    assert find_service_unit({"SYSTEMD_EXEC_PID": str(os.getpid())}, proc=tmp_path) is None
