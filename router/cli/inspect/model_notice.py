"""What `why` says of a model that ends: from the running proxy, which knows what its backends say, else from the user's
settings and the shipped table."""

import contextlib
import os

from router.errors import CommandError
from router.policy.facts.book import FactBook
from router.policy.facts.words import describe_end
from router.store.config import backends, toml
from router.store.home import run_files
from router.store.home.home import Home


def find_notice(home: Home, backend: str, model: str) -> str:
    """That a model of a backend ends, and its successor; '' for others."""
    if not backend or not model:
        return ""
    if run_files.live(home):
        from router.host.event_loop import run_async

        with contextlib.suppress(CommandError):
            found = run_async(_ask, home, f"{backend}:{model}")
            if found is not None:
                return found
    try:
        settings = toml.load(home, os.environ).settings
    except CommandError:
        return ""
    stored, _ = backends.load(home)
    book = FactBook({one.name: one for one in stored}, settings.models, {})
    return describe_end(book.find(backend, model))


async def _ask(home: Home, name: str) -> str | None:
    """What the running proxy says; None where it does not know the model."""
    from router.cli.common.running_proxy import find_proxies
    from router.net.control.request import ControlError

    found, _ = await find_proxies(home)
    for _, proxy in found:
        with contextlib.suppress(ControlError):
            return next((report.notice for report in await proxy.report_models([name])), None)
    return None
