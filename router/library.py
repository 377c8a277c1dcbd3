"""fairlead as a library: `router.running`, the only function that other programs may call."""

import os
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from dataclasses import fields, replace
from typing import Any

import msgspec

from router.admin.status import report_backends, report_models, report_status
from router.server import serve
from router.settings import DECLARATIONS, Loaded, Settings
from router.settings.reading import ConfigFile, resolve
from router.store.config import toml
from router.store.home.home import open_home
from router.store.home.place import CONFIG_DIR


class Running:
    """A running proxy."""

    def __init__(self, serving: serve.Serving):
        #: Its URL for clients on this machine.
        self.url = serving.url
        self._serving = serving

    def status(self) -> dict[str, Any]:
        """The answer of GET /status, whose fields are documented there."""
        runtime = self._serving.runtime
        models = report_models(runtime.snapshot.table)
        return msgspec.to_builtins(report_status(runtime, self._serving, models))

    def backends(self) -> list[dict[str, Any]]:
        """The enabled backends: name, protocols, enabled, models (how many it lists), problem (or None)."""
        return msgspec.to_builtins(report_backends(self._serving.runtime))


@asynccontextmanager
async def running(
    settings: Mapping[str, Any] | None = None, *, home: str | os.PathLike[str] | None = None
) -> AsyncGenerator[Running]:
    """Serve while the body of `async with` runs, under trio; leaving it lets open answers end, for drain.time at most.

    settings: as in config.toml, such as {"port": 0, "timeouts": {"idle": "60s"}}; they come before the environment and
    the home's own config.toml. home: the folder with backends and history, the user's when it is not given. Raises
    CommandError (an Exception whose text names what is wrong) before anything is served.
    """
    environ = _make_environment(home)
    folder = open_home(environ)

    def load() -> Loaded:
        return _override(toml.load(folder, environ), settings or {})

    loaded = load()
    async with serve.running(loaded.settings, folder, warnings=loaded.warnings, load_settings=load) as serving:
        yield Running(serving)


def _override(loaded: Loaded, given: Mapping[str, Any]) -> Loaded:
    """The loaded settings with the given ones in their place. Raises CommandError."""
    own = resolve({}, {}, ConfigFile("settings", given, {}))
    names = {entry.attribute for entry in DECLARATIONS if own.sources[entry.key].kind != "default"}
    names |= given.keys() & {field.name for field in fields(Settings)}
    merged = replace(loaded.settings, **{name: getattr(own.settings, name) for name in names})
    return Loaded(merged, loaded.sources, warnings=(*loaded.warnings, *own.warnings))


def _make_environment(home: str | os.PathLike[str] | None) -> Mapping[str, str]:
    if home is None:
        return os.environ
    # The configuration of the home that is named.
    others = {name: value for name, value in os.environ.items() if name != CONFIG_DIR}
    return {**others, "FAIRLEAD_HOME": os.path.abspath(home)}
