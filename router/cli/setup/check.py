"""`fairlead setup TOOL --check`: run the tool once without a terminal, and find its request in the history."""

import tempfile
import time

from router.cli.common.flush import flush_history
from router.cli.common.layout import note, print_json, say
from router.cli.setup.models import find_models
from router.errors import CommandError
from router.host.child_process import CompletedProgram, OutputLimitExceeded, ProgramTimeout, run_program
from router.host.event_loop import run_async
from router.settings.kinds import clean
from router.setup.record import read_record
from router.setup.state import find_program
from router.setup.tool import Place, Tool
from router.store.history import reader
from router.store.history.read_requests import RecordedRequest, read_latest
from router.store.home import run_files
from router.store.home.home import Home

#: For the tool's whole run.
SECONDS = 60.0
_PROMPT = "Say OK"
# Of what the tool prints.
_OUTPUT_LIMIT = 1 << 20
# For the answered request to be in the history once the tool has ended, and between two looks.
_WRITE_SECONDS, _BETWEEN = 3.0, 0.2
# Requests that are looked through.
_LOOKED_THROUGH = 200
# Of a text in a message.
_SHOWN = 300


def check(home: Home, place: Place, tool: Tool, model: str, *, as_json: bool) -> int:
    """Run it, and say what served it; exit code 0 when a request was answered. Raises CommandError."""
    program = find_program(tool, place.environ)
    if not tool.check:
        raise CommandError(f"{tool.title} has no run without its window that could be checked.", "Open it and ask it.")
    if not program:
        raise CommandError(f"`{tool.program}` is not on PATH.", "Install it, or run this from a shell that finds it.")
    if not run_files.list_shared(home):
        raise CommandError("no proxy is running.", "Start it in another terminal:   fairlead proxy")
    record = read_record(home, tool.name)
    model = model or (record.model if record is not None else "") or find_models(home, "")[1].name
    began = time.time()
    done = _run(program, [word.format(model=model, prompt=_PROMPT) for word in tool.check], place)
    requests, good = _await_requests(home, tool, model, began)
    if as_json:
        print_json({**_to_json(tool, model, done, requests), "ok": good is not None})
    elif good is not None:
        _say_good(tool, good, done)
    if good is None:
        raise _make_error(tool, model, done, requests)
    return 0


def _run(program: str, words: list[str], place: Place) -> CompletedProgram | None:
    """The tool's run in an empty folder; None when its time was up, or it printed without end."""

    async def start(folder: str) -> CompletedProgram:
        return await run_program([program, *words], place.environ, seconds=SECONDS, limit=_OUTPUT_LIMIT, folder=folder)

    with tempfile.TemporaryDirectory(prefix="fairlead-check-", ignore_cleanup_errors=True) as folder:
        try:
            return run_async(start, folder)
        except (ProgramTimeout, OutputLimitExceeded):
            return None


def _await_requests(
    home: Home, tool: Tool, model: str, began: float
) -> tuple[list[RecordedRequest], RecordedRequest | None]:
    """The tool's requests, and one that was answered, if any. A busy machine writes them a moment after the tool has
    ended."""
    until = time.monotonic() + _WRITE_SECONDS
    while True:
        requests = _find_requests(home, tool, model, began)
        good = next((one for one in requests if one.status < 300 and not one.error), None)
        if good is not None or time.monotonic() >= until:
            return requests, good
        time.sleep(_BETWEEN)


def _find_requests(home: Home, tool: Tool, model: str, began: float) -> list[RecordedRequest]:
    """The tool's requests since then, newest first. Some tools look like the SDK that they are made with: those that
    asked for the model count too."""
    flush_history(home)
    with reader.open_reader(home) as db:
        newest = read_latest(db, _LOOKED_THROUGH) if db is not None else []
    since = [one for one in newest if one.time >= began and one.method == "POST"]
    return [one for one in since if one.client in tool.clients or one.model == model]


def _make_error(tool: Tool, model: str, done: CompletedProgram | None, requests: list[RecordedRequest]) -> CommandError:
    if requests:
        one = requests[0]
        said = clean(one.error_text or one.error or str(one.status), _SHOWN)
        return CommandError(
            f"{tool.title} reached fairlead, and got an error for {clean(model)}: {said}.",
            f"What happened:   fairlead why {one.id}",
        )
    if done is None:
        how = f"did not end within {SECONDS:.0f} s"
    else:
        printed = done.err.strip() or done.out.strip()
        last = clean(printed.decode("utf-8", "replace").rpartition("\n")[2].strip(), _SHOWN)
        how = f"ended with exit code {done.code}" + (f": {last}" if last else "")
    return CommandError(
        f"no request of {tool.title} came; it {how}.",
        f"Is it set up?   fairlead setup {tool.name}",
    )


def _say_good(tool: Tool, request: RecordedRequest, done: CompletedProgram | None) -> None:
    served = f"{clean(request.served_model)} of {clean(request.backend)}"
    say(
        f"{tool.title} got an answer through fairlead: {served}, {request.tokens_in or 0:,} tokens in, "
        f"{request.tokens_out or 0:,} out."
    )
    say(f"What happened:   fairlead why {request.id}")
    if done is None or done.code:
        how = "did not end in time" if done is None else f"ended with exit code {done.code}"
        note(f"warning: {tool.title} {how} all the same.")


def _to_json(
    tool: Tool, model: str, done: CompletedProgram | None, requests: list[RecordedRequest]
) -> dict[str, object]:
    return {
        "tool": tool.name,
        "model": model,
        "exit_code": done.code if done is not None else None,
        "requests": [
            {"id": one.id, "client": one.client, "model": one.model, "status": one.status} for one in requests
        ],
    }
