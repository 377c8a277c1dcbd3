"""The task of Windows: its XML, and how an edited one is told from one that the scheduler wrote in its own way."""

from pathlib import PureWindowsPath
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import CommandError
from router.service.definition import Wanted
from router.service.task import encode, find_option, find_program, judge_task, make_task

SPACE = "{http://schemas.microsoft.com/windows/2004/02/mit/task}"
WANTED = Wanted(
    (r"C:\Users\u\AppData\Local\fairlead\current\fairlead.exe",),
    home=PureWindowsPath(r"D:\own home"),
    log=PureWindowsPath(r"D:\own home\proxy.log"),
)


def make(wanted=WANTED):
    return make_task(wanted, user=r"PC\u & co", system_root=r"C:\Windows")


def read(text, path):
    found = ElementTree.fromstring(text).find("/".join(SPACE + name for name in path.split("/")))
    return None if found is None else found.text


def test_values():
    """It starts at this user's logon, without a window, in no hurry to be ended, and again where a start failed."""
    text = make()
    wanted = {
        "Triggers/LogonTrigger/UserId": r"PC\u & co",
        "Principals/Principal/LogonType": "InteractiveToken",
        "Principals/Principal/RunLevel": "LeastPrivilege",
        "Settings/MultipleInstancesPolicy": "IgnoreNew",
        "Settings/DisallowStartIfOnBatteries": "false",
        "Settings/StopIfGoingOnBatteries": "false",
        "Settings/ExecutionTimeLimit": "PT0S",
        "Settings/Hidden": "true",
        "Settings/RestartOnFailure/Interval": "PT1M",
        "Settings/RestartOnFailure/Count": "3",
        "Actions/Exec/Command": r"C:\Windows\System32\conhost.exe",
        "Actions/Exec/Arguments": (
            r"--headless C:\Users\u\AppData\Local\fairlead\current\fairlead.exe __service"
            r' --home "D:\own home" --log "D:\own home\proxy.log"'
        ),
    }
    assert {path: read(text, path) for path in wanted} == wanted
    assert ElementTree.fromstring(text).get("version") == "1.2"


def test_bytes():
    """UTF-16, little end first, with its mark and the line ends of Windows: schtasks reads nothing else."""
    data = encode(make())
    assert data.startswith(b"\xff\xfe<\0?\0x\0m\0l\0")
    text = data.decode("utf-16")
    assert text.replace("\r\n", "\n") == make()
    assert ElementTree.fromstring(data).tag == f"{SPACE}Task"


def rewritten(text):
    """As the scheduler gives it back: other order, defaults left out, a URI and an SID added."""
    task = ElementTree.fromstring(text)
    for node in task.iter():
        if node.tag == f"{SPACE}Settings":
            node[:] = [
                one for one in reversed(node) if one.tag not in (f"{SPACE}MultipleInstancesPolicy", f"{SPACE}Enabled")
            ]
        if node.tag == f"{SPACE}RegistrationInfo":
            ElementTree.SubElement(node, f"{SPACE}URI").text = r"\fairlead"
        if node.tag == f"{SPACE}UserId":
            node.text = "S-1-5-21-1-2-3-1001"
    task[:] = [*task[1:], task[0]]
    return ElementTree.tostring(task, encoding="unicode")


def test_what_the_scheduler_writes_anew_is_current():
    """Its own words for the same are no edit."""
    assert judge_task(make()) == judge_task(rewritten(make())) == "current"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("PT0S", "PT72H"),
        ("__service", "__service --verbose"),
        ("LeastPrivilege", "HighestAvailable"),
        ("<StartWhenAvailable>true", "<StartWhenAvailable>false"),
        ("<LogonTrigger>", "<BootTrigger><Enabled>true</Enabled></BootTrigger><LogonTrigger>"),
    ],
)
def test_an_edited_one(before, after):
    """A value that matters, another trigger: changed by hand."""
    text = make()
    assert before in text
    assert judge_task(text.replace(before, after, 1)) == "edited"


@pytest.mark.parametrize("text", ["", "<Task/>", "no xml", "<a><b></a>"])
def test_another_task(text):
    """One of that name which fairlead did not write."""
    assert judge_task(text) == "foreign"
    assert (find_program(text), find_option(text, "--log")) == ("", "")


def as_windows_paths():
    """Absolute paths without the characters that no file of Windows has."""
    plain = st.text(min_size=1, max_size=15).filter(lambda text: text.isprintable() and not set('"<>|?*:/') & set(text))
    return plain.map(r"C:\{}\x".format)


@given(as_windows_paths(), as_windows_paths())
def test_what_is_written_is_read(program, home):
    """Whatever characters a path has, it comes back."""
    text = make(WANTED._replace(words=(program,), home=home, log=f"{home}.log"))
    assert (find_program(text), find_option(text, "--home"), find_option(text, "--log")) == (
        program,
        home,
        f"{home}.log",
    )
    assert judge_task(text) == "current"


def test_a_path_that_no_task_holds():
    """XML has no form for control characters."""
    with pytest.raises(CommandError, match="has a character"):
        make(WANTED._replace(words=("C:\\a\x01b",)))
