"""`fairlead demo --replay DIR`: serve with the answers of captures, and tell whether their requests end as they did."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from router import __version__
from router.cli.common.layout import find_width, wrap_row
from router.cli.common.output import format_count
from router.errors import CommandError
from router.net.control.request import clean
from router.replay.run import Stage, differs, expected, find_obstacle, staged
from router.server import serve
from router.settings import Settings
from router.store.captures.find import read_folder
from router.store.captures.format import Capture
from router.store.home.home import Home

_SHOWN = 400


def name_captures(folder: Path) -> Mapping[str, tuple[str, Capture]]:
    """The captures of a folder: the name of each one's backend -> its file and itself. The names hold a dot, which a
    configured backend's cannot. Raises CommandError."""
    return {f"replay.{number}": found for number, found in enumerate(read_folder(folder).items(), 1)}


async def play(folder: Path, settings: Settings, home: Home, once: bool) -> int:
    """Serve; exit code 1 when a request ended otherwise than it did. Raises CommandError, PortTaken."""
    import trio

    found = name_captures(folder)
    captures = {name: capture for name, (_, capture) in found.items()}
    width = find_width()
    good = True
    # What is played has been captured.
    settings = replace(settings, history_capture=False)
    async with staged(captures, settings, home, pace=0.0) as stage, trio.open_nursery() as nursery:
        signals = serve.Signals()
        await nursery.start(signals.listen)
        signals.attach(stage.serving)
        about = f"answers of {format_count(len(captures), 'capture')}"
        print(f"fairlead {__version__}   {stage.url}   {about}\n", flush=True)
        for name, (file, capture) in found.items():
            ok, lines = await _play_one(stage, name, file, capture, width)
            good = good and ok
            print("\n".join(lines), flush=True)
        if not once:
            _print_models(stage, found, width)
            await stage.serving.wait_until_stopped()
        nursery.cancel_scope.cancel()
    return 0 if good else 1


async def _play_one(stage: Stage, name: str, file: str, capture: Capture, width: int | None) -> tuple[bool, list[str]]:
    """Whether a captured request ends as it did, or cannot be run; and the lines that say so."""
    obstacle = find_obstacle(capture)
    if obstacle:
        return True, wrap_row(f"  left out  {file}   ", f"{obstacle}", width)
    wanted = expected(capture)
    try:
        found = await stage.run(name)
    except CommandError as error:
        return False, wrap_row(f"  wrong  {file}   ", clean(str(error), _SHOWN), width)
    difference = differs(found, wanted)
    lines = wrap_row(f"  {'wrong' if difference else 'ok'}  {file}   ", clean(found.format(), _SHOWN), width)
    if difference:
        lines += wrap_row("         ", clean(difference, _SHOWN), width)
    return not difference, lines


def _print_models(stage: Stage, found: Mapping[str, tuple[str, Capture]], width: int | None) -> None:
    stage.open_all()
    print("\nEach is served under a model of its own, with its waits and cuts:")
    for name, (file, capture) in found.items():
        print("\n".join(wrap_row(f"  {name}:{clean(capture.meta.model)}   ", file, width)))
    print("\nServing. Ctrl-C stops it, or in another terminal: fairlead stop", flush=True)
