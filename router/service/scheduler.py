"""The Task Scheduler of Windows, asked by `schtasks`.

Rules of this file: its words are in the language of the system, so that only numbers and XML are read. It ends a task
at once; who wants open answers to end first tells the proxy so before.
"""

import contextlib
import csv
import io
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from router.errors import CommandError
from router.host.child_process import CompletedProgram
from router.host.service.managed import TASK
from router.service import task
from router.service.definition import Wanted
from router.service.manager import Call, Definition, Manager, State, require, say_briefly

_LOG = "proxy.log"
#: The column of the last result in `/V /FO CSV`, and what it says of a task that runs, never ran, or was ended.
_RESULT_COLUMN = 6
_RUNNING, _NEVER, _ENDED = 0x41301, 0x41303, 0x41306


class Scheduler(Manager):
    """The Task Scheduler, for the tasks of this user."""

    name = "the Task Scheduler"
    ends_gently = False
    place = f"the Task Scheduler, {TASK}"

    def __init__(self, call: Call, environ: Mapping[str, str]):
        self._call = call
        self._environ = environ

    def check(self) -> None:
        """Refuse where it does not answer."""
        asked = self._ask("/Query", "/FO", "CSV", "/NH")
        if asked.code:
            raise CommandError(f"the Task Scheduler cannot be reached: {say_briefly(asked)}.")

    def choose_log(self, home: Path) -> Path | None:
        """The home's."""
        return home / _LOG

    def list_variables(self) -> frozenset[str]:
        """Those of the registry, as `setx` writes them."""
        return _list_registry_variables()

    def make(self, wanted: Wanted) -> str:
        """The text of the task."""
        name, domain = self._environ.get("USERNAME", ""), self._environ.get("USERDOMAIN", "")
        if not name:
            raise CommandError("this user has no name here: USERNAME is not set.")
        user = f"{domain}\\{name}" if domain else name
        return task.make_task(wanted, user=user, system_root=self._environ.get("SYSTEMROOT", r"C:\Windows"))

    def read(self) -> Definition | None:
        """The registered task."""
        asked = self._ask("/Query", "/TN", TASK, "/XML")
        if asked.code:
            return None
        text = _decode(asked.out)
        log, home = task.find_option(text, "--log"), task.find_option(text, "--home")
        return Definition(text, task.judge_task(text), task.find_program(text), log, home)

    def install(self, text: str) -> None:
        """Register the task in the place of the one there is."""
        descriptor, path = tempfile.mkstemp(suffix=".xml", prefix="fairlead-")
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(task.encode(text))
            require(self._ask("/Create", "/TN", TASK, "/XML", path, "/F"), "could not be registered")
        finally:
            with contextlib.suppress(OSError):
                os.unlink(path)

    def start(self) -> None:
        """Run it now."""
        self.restart()

    def restart(self) -> None:
        """Run it anew."""
        self._ask("/End", "/TN", TASK)
        require(self._ask("/Run", "/TN", TASK), "did not start")

    def remove(self) -> None:
        """End and delete it."""
        self._ask("/End", "/TN", TASK)
        require(self._ask("/Delete", "/TN", TASK, "/F"), "could not be deleted")

    def read_state(self) -> State:
        """How the task is."""
        asked = self._ask("/Query", "/TN", TASK, "/V", "/FO", "CSV", "/NH")
        if asked.code:
            return State()
        rows = list(csv.reader(io.StringIO(_decode(asked.out))))
        results = [row[_RESULT_COLUMN].strip() for row in rows if len(row) > _RESULT_COLUMN]
        text = results[0] if results else ""
        if not text.lstrip("-").isdecimal():
            return State(enabled=True)
        result = int(text) & 0xFFFFFFFF
        if result == _RUNNING:
            return State(enabled=True, word="running", running=True)
        if result == _NEVER:
            return State(enabled=True, word="never ran")
        return State(enabled=True, last_exit="ended" if result == _ENDED else f"exit code {result}")

    def _ask(self, *words: str) -> CompletedProgram:
        return self._call(["schtasks", *words], {})


def _decode(data: bytes) -> str:
    """What schtasks prints: UTF-16, where it says so by a mark, else in the code page of the console."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", "replace")
    if data[1:2] == b"\0":
        return data.decode("utf-16-le", "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("mbcs" if os.name == "nt" else "latin-1", "replace")


def _list_registry_variables() -> frozenset[str]:
    import sys

    found: set[str] = set()
    if sys.platform == "win32":
        import winreg

        for root, path in (
            (winreg.HKEY_CURRENT_USER, "Environment"),
            (winreg.HKEY_LOCAL_MACHINE, r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"),
        ):
            with contextlib.suppress(OSError), winreg.OpenKey(root, path) as key:
                for number in range(winreg.QueryInfoKey(key)[1]):
                    found.add(winreg.EnumValue(key, number)[0].upper())
    return frozenset(found)
