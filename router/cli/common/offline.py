"""What a proxy with the files of this home would know, for commands that find none running."""

import contextlib
from collections.abc import AsyncGenerator

import trio

from router.settings import Settings
from router.store.home.home import Home
from router.telemetry.accesslog import AccessLog
from router.upstream.compose import compose
from router.upstream.configuration import read
from router.upstream.runtime import Runtime


@contextlib.asynccontextmanager
async def runtime(home: Home, settings: Settings, demo_root: str | None = None) -> AsyncGenerator[Runtime]:
    """A runtime that has read every catalog, or failed to. Raises CommandError."""
    log = AccessLog(0, None)
    try:
        found = compose(read(home, settings), home, log, demo_root=demo_root)
        async with trio.open_nursery() as nursery:
            await nursery.start(found.refresh_catalogs)
            await found.catalogs.wait_complete()
            nursery.cancel_scope.cancel()
        yield found
    finally:
        log.close()
