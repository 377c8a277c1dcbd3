"""Sends captured requests to a proxy that answers them from the same captures, and tells how each ended."""

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import NamedTuple

import trio

from router.demo.recorded import RecordedUpstream
from router.errors import CommandError
from router.net.control.request import ControlError, send
from router.net.loopback import list_literal_urls
from router.replay.recording import (
    apply_decision,
    list_attempts,
    list_headers,
    list_hops,
    make_backend,
    record_answers,
)
from router.server import serve
from router.settings import Frozen, Secret, Settings
from router.store.captures.format import Capture
from router.store.history.entry import HistoryEntry
from router.store.home.home import Home, open_home
from router.upstream.configuration import Configuration, read

#: Seconds that a request may take, whatever its capture took.
PATIENCE = 1800.0
_CHECK_PATIENCE = 30.0


class Outcome(NamedTuple):
    """How a request ended."""

    status: int
    error: str
    losses: tuple[str, ...]
    #: As `list_attempts`; None where they are not known.
    attempts: tuple[str, ...] | None = None
    #: The body that its client got, b'' for one that was cut.
    body: bytes = b""
    #: Its id in the proxy that ran it.
    id: str = ""

    def format(self) -> str:
        """It in one line."""
        told = [str(self.status or "no answer"), self.error]
        told += [f"lost {', '.join(self.losses)}"] if self.losses else []
        return "   ".join(part for part in told if part)


def expected(capture: Capture) -> Outcome:
    """How the captured request ended."""
    meta, exchanges = capture.meta, capture.exchanges
    attempts = None
    # Not of all is it told which backend was asked, or what it answered.
    if len(exchanges) == meta.attempts and not find_untold(capture):
        told = ((one.backend, one.account, one.answer.status if one.answer is not None else 0) for one in exchanges)
        attempts = list_attempts(told)
    return Outcome(meta.status, meta.error, tuple(meta.losses), attempts)


def find_untold(capture: Capture) -> set[str]:
    """The backends that were asked, and of which the capture does not tell how they are to be asked again."""
    decision = capture.meta.decision
    if decision is None:
        return set()
    told = {one.backend for one in decision.earlier} | {one.backend for one in capture.exchanges[-1:]}
    return {one.backend for one in capture.exchanges} - told


def differs(found: Outcome, wanted: Outcome) -> str:
    """In what an outcome differs from the captured one, '' for nothing. The order of losses means nothing."""
    parts: list[str] = []
    if found.status != wanted.status:
        parts.append(f"status {found.status}, not {wanted.status}")
    if found.error != wanted.error:
        parts.append(f"error {found.error or 'none'}, not {wanted.error or 'none'}")
    for more, words in ((set(found.losses) - {*wanted.losses}, "more"), (set(wanted.losses) - {*found.losses}, "less")):
        if more:
            parts.append(f"{words} lost: {', '.join(sorted(more))}")
    if None not in (found.attempts, wanted.attempts) and found.attempts != wanted.attempts:
        parts.append(f"attempts {_format_attempts(found.attempts)}, not {_format_attempts(wanted.attempts)}")
    return "; ".join(parts)


def _format_attempts(attempts: tuple[str, ...] | None) -> str:
    return f"({', '.join(attempts or ('none',))})"


class Stage:
    """A proxy that answers from captures."""

    def __init__(
        self,
        serving: serve.Serving,
        captures: Mapping[str, Capture],
        upstream: RecordedUpstream,
        root: str,
        configuration: Configuration,
    ):
        self.url = serving.url
        self.serving = serving
        self._captures = captures
        self._upstream = upstream
        self._root = root
        self._configuration = configuration
        self._ended: dict[str, HistoryEntry] = {}
        self._wake: Callable[[], None] = lambda: None
        serving.runtime.recorder.listeners.add(self._note)

    def set_scene(self, name: str) -> None:
        """Serve as it was when this capture was made: with its backends alone, under its settings. Its requests are not
        recorded: they are no traffic of the user's."""
        capture = self._captures[name]
        hops = list_hops(capture, name)
        backends = tuple(make_backend(hop, self._root) for hop in hops)
        settings = apply_decision(self._configuration.settings, capture, hops, backends)
        self.serving.runtime.recorder.unrecorded = frozenset(hop.name for hop in hops)
        self.serving.runtime.apply(self._configuration._replace(backends=backends, settings=settings))

    def open_all(self) -> None:
        """Serve all captures at once: each by the name of its backend before the model's, and the first that has a
        model by the model alone, under the settings of the first."""
        # Of a chain the last one alone: a chain of one capture would serve the requests of others.
        hops = [list_hops(capture, name)[-1] for name, capture in self._captures.items()]
        backends = [make_backend(hop, self._root) for hop in hops]
        settings = self._configuration.settings
        for hop, backend in [*zip(hops, backends, strict=True)][::-1]:
            options = settings.backends
            settings = apply_decision(settings, self._captures[hop.name], [hop], [backend])
            settings = replace(settings, backends=Frozen({**options, **settings.backends}))
        self._upstream.pace = 1.0
        self.serving.runtime.recorder.unrecorded = frozenset()
        self.serving.runtime.apply(self._configuration._replace(backends=tuple(backends), settings=settings))

    async def run(self, name: str, patience: float = PATIENCE) -> Outcome:
        """Send the captured request. Raises CommandError where none was captured, or no answer came in time."""
        capture = self._captures[name]
        request = capture.request
        if request is None:
            raise CommandError(f"the capture {capture.meta.id} holds no request.")
        self.set_scene(name)
        done = trio.Event()
        self._wake, seen = done.set, {*self._ended}
        key: Secret | None = self.serving.key
        headers = {**list_headers(capture), "authorization": f"Bearer {key.reveal() if key else 'fairlead'}"}
        [url, *_] = list_literal_urls(self.url)
        body = request.body.text.encode("utf-8", "surrogatepass")
        got = b""
        try:
            answer = await send(request.method or "POST", url + (request.target or "/"), headers, body, patience)
            got = answer.body
        except ControlError:
            pass  # a cut answer: how it ended is in the proxy's record
        with trio.move_on_after(5.0):
            await done.wait()
        fresh = [entry for key_, entry in self._ended.items() if key_ not in seen]
        if not fresh:
            raise CommandError(f"the proxy recorded nothing of {capture.meta.id}.")
        entry = fresh[-1]
        losses = tuple(loss for loss in entry.losses.split("; ") if loss)
        attempts = list_attempts((one.backend, one.account, one.status) for one in entry.tries)
        return Outcome(entry.status, entry.error, losses, attempts, got, entry.id)

    def _note(self, entry: HistoryEntry) -> None:
        if entry.path != "/v1/models":
            self._ended[entry.id] = entry
            self._wake()


@asynccontextmanager
async def staged(
    captures: Mapping[str, Capture], settings: Settings, home: Home, *, pace: float = 1.0
) -> AsyncGenerator[Stage]:
    """Serve while the body runs. captures: by names that can stand in a URL. pace: as for `RecordedUpstream`. Raises
    CommandError, PortTaken."""
    # The user's own rules would send the requests elsewhere.
    settings = replace(
        settings,
        demo=False,
        model=None,
        fast_model=None,
        aliases=Frozen[str](),
        routes=(),
        fallback=Frozen[tuple[str, ...]](),
        guard_enabled=False,
    )
    recordings = {
        name: recording for key, capture in captures.items() for name, recording in record_answers(capture, key).items()
    }
    # The nursery is inside: an error of the start, as of a port that is taken, leaves without a group around it.
    async with serve.running(settings, home, drain=0.5) as serving, trio.open_nursery() as nursery:
        # Never released: the backends are in no file, so that a reload would take them away, and one that had waited
        # would begin while the proxy stops.
        await serving.reloading.acquire()
        upstream = RecordedUpstream(recordings, pace=pace)
        root = await nursery.start(upstream.serve)
        configuration = read(home, settings)._replace(backends=(), gaps=(), problems=())
        yield Stage(serving, captures, upstream, root, configuration)
        nursery.cancel_scope.cancel()


def find_obstacle(capture: Capture) -> str:
    """Why a capture cannot be run at once and by itself, '' where it can."""
    if any(exchange.end == "open" for exchange in capture.exchanges):
        return "it ended by a time limit or by its client"
    if capture.meta.decision is None:
        return "no backend was chosen for it"
    if capture.request is None or not capture.request.target:
        return "the request was not captured"
    if capture.request.body.cut:
        return "the request is longer than what is captured of it"
    if not capture.request.body.text and capture.request.method == "POST":
        return "it holds no bodies"
    return ""


async def check(capture: Capture) -> str:
    """Run a capture against its own answers: `yes` where it ends as it did, `no: …` or `not run: …` otherwise."""
    obstacle = find_obstacle(capture)
    if obstacle:
        return f"not run: {obstacle}"
    with TemporaryDirectory(prefix="fairlead-") as folder:
        home = open_home({"FAIRLEAD_HOME": folder})
        try:
            async with staged({"check": capture}, Settings(port=0), home, pace=0.0) as stage:
                found = await stage.run("check", _CHECK_PATIENCE)
        except CommandError as error:
            return f"not run: {error}"
    difference = differs(found, expected(capture))
    return f"no: {difference}" if difference else "yes"
