"""Whether a change of config.toml may be saved: it is held against what a proxy checks when it starts."""

import os
import re
from collections.abc import Callable

import msgspec

from router.cli.common.layout import note
from router.errors import CommandError
from router.settings import Loaded, Settings
from router.store.config import toml
from router.store.home.home import Home
from router.upstream.configuration import list_faults
from router.upstream.search import find_gap

_LINE = re.compile(r"line \d+")


def make_judge(home: Home, tell: Callable[[str], None] = note) -> Callable[[str, str], None]:
    """A function for `toml.change`. It raises CommandError when the new text would keep a proxy from starting and the
    old one would not, and tells the warnings that are new. What was wrong before does not count: each fault of
    several must be possible to fix alone."""

    def judge(old: str, new: str) -> None:
        after = toml.load_text(home, new, os.environ)
        try:
            before = toml.load_text(home, old, os.environ)
        except CommandError:
            before = Loaded(Settings(), {})
        known = {str(fault) for fault in _list_faults(home, before)}
        for fault in _list_faults(home, after):
            if str(fault) not in known:
                raise CommandError(f"nothing was saved: {fault}", fault.hint)
        # A change may move lines.
        said = {_LINE.sub("", warning) for warning in _list_warnings(before)}
        for warning in _list_warnings(after):
            if _LINE.sub("", warning) not in said:
                tell(f"warning: {warning}")

    return judge


def _list_warnings(loaded: Loaded) -> list[str]:
    gap = find_gap(loaded.settings)
    return [*loaded.warnings, *([gap] if gap else [])]


def _list_faults(home: Home, loaded: Loaded) -> list[CommandError]:
    # Without its place: the line is in a text that is not saved.
    return list_faults(home, msgspec.structs.replace(loaded, sources={}), os.environ)
