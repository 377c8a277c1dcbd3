"""The task of the Task Scheduler: Task Scheduler Schema 1.2 (MS-TSCH).

Rules of this file: the scheduler keeps its own copy, written anew in its own way, so that what was registered is told
from an edited one by the values that matter, and not by its text. A console program would show a window: `conhost.exe
--headless` gives it a console without one.
"""

import ntpath
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from router.service.definition import Verdict, Wanted, check_text, find_mark, judge_mark, make_mark

_SPACE = "http://schemas.microsoft.com/windows/2004/02/mit/task"
_TEXT_LIMIT = 1 << 20
# What the scheduler takes where a definition says nothing.
_DEFAULTS = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "true",
    "StopIfGoingOnBatteries": "true",
    "ExecutionTimeLimit": "PT72H",
    "Enabled": "true",
    "Hidden": "false",
    "AllowHardTerminate": "true",
    "StartWhenAvailable": "false",
    "Priority": "7",
}
_SETTINGS = {
    "MultipleInstancesPolicy": "IgnoreNew",
    "DisallowStartIfOnBatteries": "false",
    "StopIfGoingOnBatteries": "false",
    "AllowHardTerminate": "true",
    "StartWhenAvailable": "true",
    "Enabled": "true",
    "Hidden": "true",
    # Without it a task is ended after three days.
    "ExecutionTimeLimit": "PT0S",
    # That of ordinary programs; 7 would have it wait for the disk behind all others.
    "Priority": "5",
}


def make_task(wanted: Wanted, *, user: str, system_root: str) -> str:
    """The task's text, with its mark. user: as DOMAIN\\NAME. system_root: the folder of Windows. Raises CommandError
    for a path that none can hold."""
    command, arguments = make_action(wanted, system_root)
    check_text([command, arguments, user])
    task = ElementTree.Element("Task", {"version": "1.2", "xmlns": _SPACE})
    about = ElementTree.SubElement(task, "RegistrationInfo")
    _add(about, {"Description": "fairlead, local LLM router", "Documentation": ""})
    trigger = ElementTree.SubElement(ElementTree.SubElement(task, "Triggers"), "LogonTrigger")
    _add(trigger, {"Enabled": "true", "UserId": user})
    principal = ElementTree.SubElement(ElementTree.SubElement(task, "Principals"), "Principal", {"id": "Author"})
    _add(principal, {"UserId": user, "LogonType": "InteractiveToken", "RunLevel": "LeastPrivilege"})
    settings = ElementTree.SubElement(task, "Settings")
    _add(settings, _SETTINGS)
    _add(ElementTree.SubElement(settings, "RestartOnFailure"), {"Interval": "PT1M", "Count": "3"})
    action = ElementTree.SubElement(ElementTree.SubElement(task, "Actions", {"Context": "Author"}), "Exec")
    _add(action, {"Command": command, "Arguments": arguments})
    mark = about.find("Documentation")
    assert mark is not None
    mark.text = make_mark("task", _list_values(task))
    ElementTree.indent(task)
    return '<?xml version="1.0" encoding="UTF-16"?>\n' + ElementTree.tostring(task, encoding="unicode") + "\n"


def encode(text: str) -> bytes:
    """The bytes that `schtasks` reads: UTF-16 with its byte order mark."""
    return b"\xff\xfe" + text.replace("\n", "\r\n").encode("utf-16-le")


def make_action(wanted: Wanted, system_root: str) -> tuple[str, str]:
    """The command and the arguments of the task."""
    words = [*wanted.words, "__service"]
    for option, value in (("--home", wanted.home), ("--env-file", wanted.env_file), ("--log", wanted.log)):
        if value is not None:
            words += [option, str(value)]
    return ntpath.join(system_root, "System32", "conhost.exe"), join_words(["--headless", *words])


def join_words(words: Sequence[str]) -> str:
    """A command line that splits into these words again (CommandLineToArgvW)."""
    from subprocess import list2cmdline

    return list2cmdline(words)


def judge_task(text: str) -> Verdict:
    """What a registered task is."""
    task = _parse(text)
    mark = find_mark(_find(task, "RegistrationInfo", "Documentation")) if task is not None else None
    if task is None or mark is None:
        return "foreign"
    return judge_mark(mark, _list_values(task))


def find_program(text: str) -> str:
    """The program that a registered task starts, '' where that cannot be read."""
    task = _parse(text)
    if task is None:
        return ""
    command = _find(task, "Actions", "Exec", "Command")
    if ntpath.basename(command).lower() != "conhost.exe":
        return command
    return _read_word(_find(task, "Actions", "Exec", "Arguments").removeprefix("--headless"))


def find_option(text: str, name: str) -> str:
    """What follows an option of the task's arguments (`--log`, `--home`), '' for nothing."""
    task = _parse(text)
    arguments = _find(task, "Actions", "Exec", "Arguments") if task is not None else ""
    return _read_word(arguments.partition(f" {name} ")[2])


def _read_word(text: str) -> str:
    """The first word of a command line, of which no path has quotes of its own."""
    text = text.lstrip()
    return text[1:].partition('"')[0] if text.startswith('"') else text.partition(" ")[0]


def _add(parent: ElementTree.Element, values: Mapping[str, str]) -> None:
    for name, value in values.items():
        ElementTree.SubElement(parent, name).text = value


def _parse(text: str) -> "ElementTree.Element | None":
    try:
        # The scheduler's own, of a task of this user.
        return ElementTree.fromstring(text[:_TEXT_LIMIT])  # noqa: S314
    except (ElementTree.ParseError, ValueError):
        return None


def _find(task: "ElementTree.Element", *path: str) -> str:
    node: ElementTree.Element | None = task
    for name in path:
        node = next((one for one in node if _local(one) == name), None) if node is not None else None
    return (node.text or "").strip() if node is not None else ""


def _local(node: "ElementTree.Element") -> str:
    return node.tag.rpartition("}")[2]


def _list_values(task: "ElementTree.Element") -> str:
    """The values that make the service what it is, a line each; with those that the scheduler takes where none is."""
    lines = [
        *(f"{name}={_find(task, 'Settings', name) or _DEFAULTS[name]}" for name in sorted(_DEFAULTS)),
        *(f"{name}={_find(task, 'Settings', 'RestartOnFailure', name)}" for name in ("Interval", "Count")),
        *(f"{name}={_find(task, 'Actions', 'Exec', name)}" for name in ("Command", "Arguments", "WorkingDirectory")),
        f"RunLevel={_find(task, 'Principals', 'Principal', 'RunLevel') or 'LeastPrivilege'}",
        f"LogonType={_find(task, 'Principals', 'Principal', 'LogonType')}",
    ]
    for name in ("Triggers", "Actions"):
        node = next((one for one in task if _local(one) == name), None)
        lines.append(f"{name}={','.join(_local(one) for one in node) if node is not None else ''}")
    enabled = _find(task, "Triggers", "LogonTrigger", "Enabled") or "true"
    return "".join(f"{line}\n" for line in [*lines, f"LogonTrigger={enabled}"])
