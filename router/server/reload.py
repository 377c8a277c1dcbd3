"""A reload: the configuration is read again in a thread, and the proxy applies it between two requests."""

import os
from collections.abc import Awaitable, Callable

import trio

from router.errors import CommandError
from router.host.access import Gate
from router.server.run_file import RunFile
from router.server.watch import ConfigWatcher
from router.settings import Loaded, Secret, Settings
from router.store.home import client_key
from router.store.home.permissions import shown
from router.store.keys.own_secrets import list_files
from router.telemetry.accesslog import AccessLog
from router.upstream.configuration import Configuration, check_log_file, defer_restarts, list_faults, read
from router.upstream.runtime import Runtime


class Reloader:
    """Reads the configuration again and applies it to the proxy. run_file: keeps why it was refused. load_settings:
    reads the settings. start_demo: starts the demo backend and returns its root URL."""

    def __init__(
        self,
        runtime: Runtime,
        gate: Gate,
        run_file: RunFile,
        load_settings: Callable[[], Loaded],
        *,
        start_demo: Callable[[], Awaitable[str]],
    ):
        self._runtime = runtime
        self._gate = gate
        self._load_settings = load_settings
        self._start_demo = start_demo
        self._run_file = run_file
        self._thread = trio.CapacityLimiter(1)
        # The path in the settings that were read last, also when they were refused: its file may be fixed.
        self._roots = runtime.settings.tls_ca_file
        self.watch = ConfigWatcher(runtime.home, self._reload, self._list_other_files)

    def _list_other_files(self) -> list[str]:
        """Files outside the home that belong to the configuration."""
        settings = self._runtime.settings
        own = [*client_key.list_watched(settings), *list_files(settings.metrics_token)]
        return [*([self._roots] if self._roots else []), *own]

    async def _reload(self) -> None:
        runtime = self._runtime
        try:
            configuration, key = await trio.to_thread.run_sync(self._read, limiter=self._thread)
        except CommandError as error:
            runtime.keep_last_good(error)
            await self._run_file.note_refusal(error)
            return
        if configuration.settings.demo and runtime.demo_root is None:
            runtime.demo_root = await self._start_demo()
        runtime.log.hide([key, configuration.metrics_token], always=True)
        runtime.apply(configuration)
        if key is not None and not self._gate.asks_key:
            why = client_key.explain_auto(runtime.settings)
            said = f", since others may use this machine: {why}" if why else ""
            runtime.log.add(f"Clients must send a key from now on{said}. `fairlead env` prints it.")
        self._gate.apply(runtime.settings, key, configuration.metrics_token)
        await self._run_file.note_refusal(None)

    def _read(self) -> tuple[Configuration, Secret | None]:
        """Read the configuration. Runs in a thread; may make the home's client key. Raises CommandError."""
        home = self._runtime.home
        if not home.there():
            # Reading on would find no backend and create a new home.
            raise CommandError(
                f"{shown(home.path)} was removed: this proxy goes on with what it has in memory, and keeps no history.",
                "Stop it by its process, or bring the folder back.",
            )
        loaded = self._load_settings()
        self._roots = loaded.settings.tls_ca_file
        for fault in list_faults(home, loaded, os.environ):
            raise fault
        settings, _ = defer_restarts(self._runtime.settings, loaded.settings)
        key = client_key.client_key(settings, home)
        before = self._runtime.client_keys.table
        configuration = read(home, loaded.settings, loaded.warnings, before=before)
        configure_log(self._runtime.log, settings)
        return configuration, key


def configure_log(log: AccessLog, settings: Settings) -> None:
    """Set the log's level and file as the settings say. Raises CommandError."""
    check_log_file(settings)
    path = os.path.expanduser(settings.log_file) if settings.log_file else None
    try:
        log.write_to(settings.verbose, path)
    except OSError as error:
        raise CommandError(f"log_file is {settings.log_file}, which cannot be written: {error.strerror}.") from None
