"""A runtime built from the files of this home, for commands when no proxy is running."""

import contextlib
from collections.abc import AsyncGenerator

import trio

from router.settings import Settings
from router.store.home.home import Home
from router.telemetry.accesslog import AccessLog
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.upstream.runtime import Runtime

#: Seconds to wait for what backends say of their models beside the names.
FACTS_SECONDS = 3.0


@contextlib.asynccontextmanager
async def open_runtime(home: Home, settings: Settings, demo_root: str | None = None) -> AsyncGenerator[Runtime]:
    """A runtime for which the read of each catalog has succeeded or failed. Raises CommandError."""
    log = AccessLog(0, None)
    try:
        found = compose(read(home, settings), home, log, demo_root=demo_root)
        async with trio.open_nursery() as nursery:
            await nursery.start(found.refresh_catalogs)
            await found.catalogs.wait_complete()
            await found.catalogs.wait_facts(FACTS_SECONDS)
            nursery.cancel_scope.cancel()
        yield found
    finally:
        log.close()
