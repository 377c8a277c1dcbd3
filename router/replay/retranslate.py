"""Takes captured requests and answers through today's code, with no upstream, and tells what has changed: the net under
a change of a translation."""

from collections.abc import Mapping
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trio

from router.errors import CommandError
from router.replay.meaning import compare, compare_json, read_meaning
from router.replay.run import Stage, differs, expected, find_obstacle, staged
from router.settings import Settings
from router.store.captures.find import read_capture
from router.store.captures.folder import path_of
from router.store.captures.format import Capture
from router.store.home.home import Home, open_home

# Seconds that a capture takes to be written, on a slow machine.
_WRITTEN_SECONDS = 20.0
# Paths that are told of one request.
_PATHS = 5


class Verdict(NamedTuple):
    """What became of one capture."""

    name: str
    #: What differs; none where nothing does.
    changes: tuple[str, ...] = ()
    #: Why it was left out, '' where it was not.
    left_out: str = ""


async def retranslate(captures: Mapping[str, Capture]) -> list[Verdict]:
    """Run each capture against its own answers, and compare with what it holds: how it ended, the request to the
    upstream, and what the answer says."""
    able = {name: capture for name, capture in captures.items() if not find_obstacle(capture)}
    found = [Verdict(name, left_out=find_obstacle(capture)) for name, capture in captures.items() if name not in able]
    if not able:
        return found
    with TemporaryDirectory(prefix="fairlead-") as folder:
        home = open_home({"FAIRLEAD_HOME": folder})
        keys = {f"replay.{number}": name for number, name in enumerate(able, 1)}
        scenes = {key: able[name] for key, name in keys.items()}
        async with staged(scenes, Settings(port=0, history_capture=True), home, pace=0.0) as stage:
            for key, name in keys.items():
                found.append(await _run_one(stage, home, key, name, able[name]))
    return found


async def _run_one(stage: Stage, home: Home, key: str, name: str, before: Capture) -> Verdict:
    try:
        outcome = await stage.run(key, _WRITTEN_SECONDS)
        after = await _read_written(home, outcome.id)
    except CommandError as error:
        return Verdict(name, (str(error),))
    changes = [difference] if (difference := differs(outcome, expected(before))) else []
    changes += _compare_sent(before, after)
    if before.answer is not None and after.answer is not None and before.meta.status < 400:
        protocol = before.meta.protocol
        # Errors name the backend.
        now = after.answer.body.text.replace(key, before.meta.decision.backend if before.meta.decision else key)
        said = compare(read_meaning(before.answer.body.text, protocol), read_meaning(now, protocol))
        changes += [f"answer, {one.what}: {one.before} -> {one.after}" for one in said]
    return Verdict(name, tuple(changes))


def _compare_sent(before: Capture, after: Capture) -> list[str]:
    """In what the request differs that the last upstream got."""
    if not before.exchanges or not after.exchanges:
        return [] if len(before.exchanges) == len(after.exchanges) else ["a request reached the upstream, or none did"]
    sent = [one.exchanges[-1].body or (one.request.body if one.request else None) for one in (before, after)]
    old, new = ("" if body is None else body.text for body in sent)
    paths = compare_json(old, new)
    more = f", +{len(paths) - _PATHS} more" if len(paths) > _PATHS else ""
    return [f"request to the upstream: {', '.join(paths[:_PATHS])}{more}"] if paths else []


async def _read_written(home: Home, name: str) -> Capture:
    """The capture of a request that has just ended. Raises CommandError."""
    with trio.move_on_after(_WRITTEN_SECONDS):
        while True:
            path = path_of(home, name)
            if path is not None and path.read_bytes().endswith(b"}\n"):
                return read_capture(path)
            await trio.sleep(0.02)
    raise CommandError(f"the run of {name} was not captured.")
