"""Loads, right after listening, all that a proxy imports or reads later: from then on an upgrade may delete its files.

It runs in a thread, one module after the other. Meanwhile the interpreter switches threads ten times as often: a
request of the first second then waits half a millisecond for the interpreter instead of five.
"""

import sys
from collections.abc import Callable
from importlib import import_module

import trio

from router.errors import CommandError
from router.wire.protocols import BY_NAME

SWITCH_SECONDS = 0.0005

# Small ones first: between two of them the proxy may stop. tests/e2e/test_preload.py finds what is missing.
MODULES = (
    "stringprep",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.utf_8_sig",
    "email.message",
    "email.parser",
    "importlib.resources",
    "zoneinfo",
    "http.cookiejar",
    "urllib.request",
    "certifi",
    "brotli",
    "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd",
    "sqlite3",
    "tomllib",
    "socksio",
    "httpcore",
    "httpcore._async.socks_proxy",
    "httpx",
    "router.net.control.calls",
    "router.net.control.scheme",
    "sqlite3",
    "router.admin.handlers",
    "router.admin.metrics_api",
    "router.exchange.answer_cache.request",
    "router.policy.facts.shipped_table",
    "router.policy.budget.price_data",
)


async def preload(report: Callable[[str], None], loaded: trio.Event, load_roots: Callable[[], object]) -> None:
    """Load everything, then set `loaded`. What cannot be loaded is reported, and fails again when it is needed.
    load_roots: reads the trusted certificates."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_SECONDS)
    try:
        for entry in BY_NAME.values():
            await _load(report, f"the translation of {entry.name}", lambda entry=entry: entry.codec.encoder)
        for name in MODULES:
            await _load(report, name, lambda name=name: import_module(name))
        # Also where no backend uses TLS: one that does may be added by a reload.
        await _load(report, "the trusted certificates", load_roots)
    finally:
        sys.setswitchinterval(usual)
    loaded.set()


async def _load(report: Callable[[str], None], what: str, load: Callable[[], object]) -> None:
    try:
        await trio.to_thread.run_sync(load)
    except (ImportError, OSError, CommandError) as error:
        report(f"could not load {what}: {error}")
