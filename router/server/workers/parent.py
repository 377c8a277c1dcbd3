"""The parent of the workers: it holds the port, starts them, restarts one that ends, and answers operators.

Rules of this file: the parent accepts nothing itself. Workers are the same program with the same arguments, each in a
session of its own, with one channel; when the parent ends, however it does, its end of the channel closes and they
drain. One that ends is started again at once the first time, and later after a delay that doubles while they live for
less than STEADY_SECONDS. The port stays bound by the parent all the time.
"""

import contextlib
import functools
import os
import secrets
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec
import trio

from router import __version__
from router.admin.dispatch import Dispatcher
from router.errors import CommandError
from router.host.access import Gate
from router.host.child_process import make_environment
from router.host.limits import make_child_options
from router.host.own_program import find_words
from router.net.descriptors import Reserve
from router.net.server.connection_table import ConnectionTable
from router.server.accepting import OwnPaths, Role, Serve, Served
from router.server.workers.channel import Channel, Message
from router.server.workers.forward import ForwardedStream
from router.server.workers.given import VARIABLE, Given
from router.server.workers.shared_state import ParentState
from router.upstream.runtime import Runtime

#: The first wait before a worker that ended at once is started again, the longest, and for how long one must live for
#: the next wait to be none.
FIRST_SECONDS, MOST_SECONDS, STEADY_SECONDS = 0.2, 30.0, 60.0
#: How long the first start of all may take, and any answer of a worker.
START_SECONDS, ANSWER_SECONDS = 60.0, 5.0
_PAUSE_SECONDS, _KILL_SECONDS = 2.0, 2.0


class Program(NamedTuple):
    """What a worker is started as."""

    words: Sequence[str]
    environ: Mapping[str, str]


def find_program(argv: Sequence[str], environ: Mapping[str, str]) -> Program:
    """This program with these arguments of `fairlead proxy`."""
    return Program((*find_words(), "proxy", *argv), environ)


def compute_delay(lived: float, before: float) -> float:
    """Seconds to wait before a worker is started again that lived for so long. before: the wait before that."""
    if lived >= STEADY_SECONDS:
        return 0.0
    return min(MOST_SECONDS, 2 * before) if before else FIRST_SECONDS


class Worker:
    """One worker process."""

    def __init__(self, name: int, process: trio.Process, channel: Channel):
        self.name = name
        self.process = process
        self.channel = channel
        self.started = trio.current_time()
        self.ready = trio.Event()
        #: Set by its answer to the last pause or stop: it accepts nothing.
        self.still = trio.Event()
        self.gone = False
        self._asked: dict[int, tuple[trio.Event, list[Message]]] = {}
        self._number = 0

    async def ask(self, kind: str, value: object = None, seconds: float = ANSWER_SECONDS) -> Message | None:
        """Ask it something; None when it does not answer in time, or has ended."""
        if self.gone or not self.ready.is_set():
            return None
        self._number += 1
        number, answered, found = self._number, trio.Event(), list[Message]()
        self._asked[number] = (answered, found)
        self.channel.send(kind, value, number=number)
        with trio.move_on_after(seconds):
            await answered.wait()
        self._asked.pop(number, None)
        return found[0] if found else None

    def take_answer(self, message: Message) -> None:
        """Take its answer to a question."""
        if message.number in self._asked:
            answered, found = self._asked[message.number]
            found.append(message)
            answered.set()

    def end(self) -> None:
        """Note that it has ended: who waits for it goes on."""
        self.gone = True
        self.still.set()
        for answered, _ in self._asked.values():
            answered.set()


class Parent(Role):
    """The parent's role. count: how many workers. program: what they are started as."""

    def __init__(self, count: int, program: Program):
        self.workers: list[Worker] = []
        self._count = count
        self._program = program
        self._port: _SharedPort | None = None
        self._port_name = secrets.token_hex(8)
        self._serving: Served | None = None
        self._stopping = False
        self._handed_over = False
        self._ended = trio.Event()
        self._alive = 0
        self._failure: CommandError | None = None
        self.state = ParentState(self)

    def make_accepting(self, listeners: Sequence[socket.socket], reserve: Reserve) -> "_SharedPort":
        """The port, on which the workers accept."""
        self._port = _SharedPort(self, listeners)
        return self._port

    def make_own_paths(self, runtime: Runtime, gate: Gate, serving: Served) -> OwnPaths:
        """The operator's endpoints, which report of all processes."""
        return Dispatcher(runtime, gate, serving)

    @property
    def serving(self) -> Served:
        """What the parent serves."""
        assert self._serving is not None
        return self._serving

    async def begin(self, nursery: trio.Nursery, serving: Served) -> None:
        """Start the workers; returns when all could accept. Raises CommandError when one cannot."""
        self._serving = serving
        self._reload_own = serving.reload
        serving.reload = functools.partial(self._reload, nursery)
        self.state.attach(serving)
        nursery.start_soon(self.state.run)
        for name in range(1, self._count + 1):
            nursery.start_soon(self._keep, name)
        with trio.move_on_after(START_SECONDS) as patience:
            while len([one for one in self.workers if one.ready.is_set()]) < self._count:
                if self._failure is not None:
                    raise self._failure
                await trio.sleep(0.01)
        if patience.cancelled_caught:
            raise CommandError(f"not all of the {self._count} workers were ready within {START_SECONDS:g} s.")
        self.state.started = True

    def _reload(self, nursery: trio.Nursery) -> trio.Event:
        """Have all processes read the configuration; the event is set once all use it, or have refused it."""
        done = trio.Event()
        nursery.start_soon(self._reload_all, self._reload_own(), done)
        return done

    async def _reload_all(self, own: trio.Event, done: trio.Event) -> None:
        await own.wait()
        async with trio.open_nursery() as nursery:
            for worker in self.workers:
                nursery.start_soon(worker.ask, "reload")
        done.set()

    def tell_stop(self, *, handed_over: bool) -> None:
        """Have the workers begin to stop."""
        self._stopping, self._handed_over = True, handed_over
        for worker in self.workers:
            worker.still = trio.Event()
            if worker.gone:
                worker.still.set()
            worker.channel.send("stop", handed_over)

    async def end(self, seconds: float) -> None:
        """Wait for the workers to end; those that do not are killed."""
        with trio.move_on_after(seconds + _KILL_SECONDS):
            while self.workers:  # noqa: ASYNC110 - few, and once in a process's life
                await trio.sleep(0.01)
        for worker in self.workers:
            with contextlib.suppress(ProcessLookupError):
                worker.process.kill()
        with trio.move_on_after(_KILL_SECONDS):
            while self.workers:  # noqa: ASYNC110
                await trio.sleep(0.01)

    # One worker

    async def _keep(self, name: int) -> None:
        """Keep the worker of a number running."""
        delay = 0.0
        while not self._stopping:
            try:
                worker = await self._start(name)
            except OSError as error:
                self._report_unstarted(name, error)
                delay = compute_delay(0.0, delay)
                await trio.sleep(delay)
                continue
            await self._attend(worker)
            code = worker.process.returncode
            if self._stopping:
                return
            if not self.state.started and not worker.ready.is_set():
                self._failure = CommandError(f"worker {name} {_describe_end(code)} before it served.")
                return
            delay = compute_delay(trio.current_time() - worker.started, delay)
            soon = f"in {delay:g} s" if delay else "now"
            self.serving.runtime.log.add(
                f"worker {name} (pid {worker.process.pid}) {_describe_end(code)}; another one starts {soon}."
            )
            await trio.sleep(delay)

    def _report_unstarted(self, name: int, error: OSError) -> None:
        text = f"worker {name} cannot be started: {error.strerror or error}."
        if not self.state.started:
            self._failure = CommandError(text)
        self.serving.runtime.log.add(text)

    async def _start(self, name: int) -> Worker:
        assert sys.platform != "win32"
        assert self._port is not None
        ours, theirs = socket.socketpair()
        with theirs:
            given = Given(
                sockets=self._port.descriptors,
                channel=theirs.fileno(),
                parent=os.getpid(),
                name=name,
                port=self._port_name,
                version=__version__,
            )
            environ = make_environment(self._program.environ, own=True)
            environ[VARIABLE] = msgspec.json.encode(given).decode()
            handed = (*given.sockets, given.channel)
            process = await trio.lowlevel.open_process(
                [*self._program.words],
                stdin=subprocess.DEVNULL,
                env=environ,
                pass_fds=handed,
                start_new_session=True,
                **make_child_options(),
            )
        worker = Worker(name, process, Channel(ours))
        self.workers.append(worker)
        return worker

    async def _attend(self, worker: Worker) -> None:
        """Serve one worker until its process has ended."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(worker.channel.run_sender)
                nursery.start_soon(self._read, worker)
                await worker.process.wait()
                nursery.cancel_scope.cancel()
        finally:
            worker.end()
            self.workers.remove(worker)
            self.state.forget(worker)
            worker.channel.close()
            if worker.process.returncode is None:
                # The parent ends by an error: what it started must not outlive it.
                worker.process.send_signal(signal.SIGTERM)

    async def _read(self, worker: Worker) -> None:
        while messages := await worker.channel.receive():
            for message, descriptor in messages:
                self._take(worker, message, descriptor)

    def _take(self, worker: Worker, message: Message, descriptor: int | None) -> None:
        assert self._port is not None
        if message.kind == "forward" and descriptor is not None:
            self._port.serve(descriptor, message.read(tuple[str, int]))
        elif message.kind == "answer":
            worker.take_answer(message)
        elif message.kind == "ready":
            worker.ready.set()
            self.state.greet(worker)
            if self._port.accepts:
                worker.channel.send("go")
        elif message.kind == "still":
            worker.still.set()
        else:
            self.state.take(worker, message)


class _SharedPort:
    """The port of the parent: its workers accept."""

    def __init__(self, parent: Parent, listeners: Sequence[socket.socket]):
        self.table = ConnectionTable()
        #: True while workers may accept.
        self.accepts = False
        self._parent = parent
        self._listeners = list(listeners)
        self._clients: trio.Nursery | None = None
        self._serve: Serve | None = None
        self._stopped = trio.Event()

    @property
    def descriptors(self) -> list[int]:
        """The descriptors of the listening sockets."""
        return [listener.fileno() for listener in self._listeners]

    async def run(self, clients: trio.Nursery, serve: Serve) -> None:
        """Have the workers accept until stopped; what they forward are tasks of `clients`."""
        self._clients, self._serve = clients, serve
        self.resume()
        await self._stopped.wait()

    def resume(self) -> None:
        """Have the workers accept."""
        self.accepts = True
        for worker in self._parent.workers:
            worker.channel.send("go")

    async def pause(self) -> None:
        """Have them accept nothing more."""
        self.accepts = False
        for worker in self._parent.workers:
            worker.still = trio.Event()
            worker.channel.send("pause")
        await self._wait_until_still()

    async def _wait_until_still(self) -> None:
        with trio.move_on_after(_PAUSE_SECONDS):
            for worker in tuple(self._parent.workers):
                if not worker.gone and worker.ready.is_set():
                    await worker.still.wait()

    async def stop(self, *, handed_over: bool = False) -> None:
        """Close the listeners once no worker uses them."""
        self.accepts = False
        await self._wait_until_still()
        for listener in self._listeners:
            with listener, contextlib.suppress(OSError):
                if not handed_over:
                    listener.shutdown(socket.SHUT_RDWR)
        self._stopped.set()

    def serve(self, descriptor: int, place: tuple[str, int]) -> None:
        """Serve what a worker forwards."""
        if self._clients is None or self._serve is None:
            os.close(descriptor)
            return
        stream = ForwardedStream(socket.socket(fileno=descriptor), place)
        self._clients.start_soon(self._serve_one, self._serve, stream)

    async def _serve_one(self, serve: Serve, stream: ForwardedStream) -> None:
        try:
            await self.table.acquire()
        except BaseException:
            stream.close()
            raise
        try:
            await serve(stream)
        finally:
            self.table.release()


def _describe_end(code: int | None) -> str:
    """How a process ended, in words."""
    if code is None:
        return "was given up"
    if code < 0:
        name = signal.Signals(-code).name if -code in {*signal.Signals} else f"signal {-code}"
        return f"was ended by {name}"
    return f"ended with exit code {code}"


def check_workers(count: int) -> None:
    """Raise CommandError where this system serves with one process only."""
    if count > 1 and sys.platform == "win32":
        raise CommandError(
            f"workers is {count}; on Windows it is 1, since no socket can be shared there between processes.",
            "Set it:   fairlead config set workers 1",
        )
