"""A change of a setting from the screen: by the rules of `fairlead config set` and `unset`, shown before it is made."""

import json
import os
from typing import TYPE_CHECKING, Any, cast

from router.cli.common.budget_lines import explain_change
from router.cli.common.running_proxy import explain_refusal, reload_proxies
from router.cli.config.judge import make_judge
from router.cli.config.set import explain_restart, find_path, is_secret, list_overridden, needs_reload
from router.cli.tui.picture import Line, Plan
from router.errors import CommandError
from router.host.event_loop import run_async
from router.net.control.request import ControlError
from router.settings.keys import find_key, match_spelling, redact
from router.settings.kinds import clean
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home import run_files
from router.store.home.home import Home
from router.store.home.permissions import shown

if TYPE_CHECKING:
    from collections.abc import Mapping

_SHOWN = 300


def plan(home: Home, key: str, value: str | None) -> Plan:
    """Check a change, with what it changes in the file. value: None to take it out. Raises CommandError."""
    before = toml.before(home)
    one = _make_change(home, key, value)
    after = toml.changed(before, [one], shown(home.at(toml.NAME)))
    if before == after:
        raise CommandError(f"{clean(key)} is so already.")
    toml.check(home, after)
    said: list[str] = []
    make_judge(home, said.append)(before, after)
    # Not the lines of the file: one line may hold several values, and secrets among them.
    old = _find_value(home, one.path)
    diff = [Line(f"- {_format(one.path, old)}", "bad")] if old is not None else []
    diff += [Line(f"+ {_format(one.path, one.value)}", "good")] if one.value is not None else []
    return Plan(key, value, [*diff, *(Line(text, "warn") for text in said)], before)


def save(home: Home, change: Plan) -> list[str]:
    """Make it, unless the file is another one by now; what to say of it. Raises CommandError."""
    said: list[str] = []

    def judge(old: str, new: str) -> None:
        if old != change.before:
            raise CommandError("nothing was saved: config.toml was changed meanwhile.", "Look at it again.")
        make_judge(home, said.append)(old, new)

    one = _make_change(home, change.key, change.value)
    toml.change(home, [one], judge)
    keys = [".".join(one.path)]
    said += list_overridden(keys)
    if run_files.live(home):
        said += [restart] if (restart := explain_restart(home, keys)) else []
        said += _tell_proxies(home) if needs_reload(keys) else []
    said += explain_change(home, toml.load(home, os.environ).settings, one.path)
    return [f"Saved {clean(keys[0])}.", *said]


def _make_change(home: Home, key: str, value: str | None) -> Change:
    file = toml.read(home)
    tree: Mapping[str, Any] = file.tree if file else {}
    if value is None:
        path = find_path(tree, key)
        if path is None:
            raise CommandError(f"{clean(key)} is not set in config.toml.")
        return Change(path, None)
    found = find_key(key)
    if is_secret(found, value):
        raise CommandError(
            f"{clean(key)} is not changed here, where it would be seen.", f"Use:   fairlead config set {key} --stdin"
        )
    return Change(match_spelling(found.path, tree), found.read(value))


def _find_value(home: Home, path: tuple[str, ...]) -> object:
    file = toml.read(home)
    node: Any = file.tree if file else {}
    for key in path:
        node = cast("Any", node).get(key) if isinstance(node, dict) else None
    return node


def _format(path: tuple[str, ...], value: object) -> str:
    """An entry as TOML has it, without secrets."""
    return clean(f"{'.'.join(path)} = {json.dumps(redact(path, value), ensure_ascii=False)}", _SHOWN)


def _tell_proxies(home: Home) -> list[str]:
    """Have the proxies read the home again; what each says of it."""
    lines: list[str] = []
    try:
        for port, answer in run_async(reload_proxies, home):
            if isinstance(answer, ControlError):
                lines.append(f"The proxy on :{port} could not be asked whether it uses it: {answer}")
            elif (refusal := explain_refusal(port, answer)) is None:
                lines.append(f"The running proxy on :{port} uses it now.")
            else:
                lines.append(" ".join((str(refusal), *refusal.hint.split("\n"))))
    except CommandError as error:
        # The change itself is saved.
        lines.append(f"The proxy could not be asked whether it uses it: {error}")
    return lines
