"""The local page of one proxy: each request to it, or of it."""

import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import trio

from router.admin.analytics_api import run_query
from router.admin.ask import Ask, Operated
from router.admin.ui import requests, usage
from router.admin.ui.files import FILE_HEADERS, PAGE_HEADERS, PageFiles, read_page_files
from router.admin.ui.live import Feed, Watcher
from router.admin.ui.plain_text import encode
from router.admin.ui.sessions import CODE_SECONDS, IDLE_SECONDS, TOTAL_SECONDS, PageSessions
from router.admin.ui.state import StateReporter
from router.errors import Conflict, NotFound, Unavailable
from router.host.access import strip_scheme
from router.host.clock import boot_time
from router.net.server.cancel_reason import CancelReason
from router.operator_api import endpoints
from router.operator_api.endpoint import Endpoint
from router.operator_api.page import PageCode, PageSession, Recipe
from router.settings import Settings
from router.store.home.client_key import in_container, is_loopback
from router.upstream.runtime import Runtime
from router.watch.request_filter import FIELDS

#: Tabs that watch at a time.
WATCHERS = 16


class LocalPage:
    """The page of one proxy. Raises OSError when its files are gone."""

    def __init__(self, runtime: Runtime, operated: Operated):
        self._files: PageFiles = read_page_files()
        self._sessions = PageSessions(boot_time)
        self._contained = in_container()
        self._watching = 0
        threads = trio.CapacityLimiter(1)
        self._feed = Feed(runtime, threads)
        self._reporter = StateReporter(runtime, operated, threads)

    async def serve(self, endpoint: Endpoint[Any, Any], ask: Ask) -> None:
        """Answer a request. Raises RouterError."""
        obstacle = find_obstacle(ask.runtime.settings, contained=self._contained)
        if endpoint.access == "operator":
            if obstacle:
                raise Conflict(obstacle)
        else:
            ask.gate.check_page(ask.request)
            if obstacle:
                raise NotFound(obstacle)
        if endpoint.access == "viewer":
            self._sessions.check(_read_bearer(ask))
            ask.connection.place.authenticate(operator=True)
        await HANDLERS[endpoint](self, ask)

    async def make_code(self, ask: Ask) -> None:
        """Make a code for one tab."""
        await ask.read_body()
        await ask.respond(PageCode(code=self._sessions.make_code(), expires_s=CODE_SECONDS), 201)

    async def serve_page(self, ask: Ask) -> None:
        """Serve the page, which has no data."""
        await ask.connection.respond(200, PAGE_HEADERS, self._files.page)

    async def serve_file(self, ask: Ask) -> None:
        """Serve one of its files. Raises NotFound."""
        found = self._files.find(ask.names["hash"], ask.names["name"])
        if found is None:
            raise NotFound("The page has no such file; it may be one of another version. Load the page again.")
        await ask.connection.respond(200, [*FILE_HEADERS, (b"content-type", found.content)], found.body)

    async def open_session(self, ask: Ask) -> None:
        """Exchange a code for a token. Raises Unauthenticated."""
        token = self._sessions.exchange(_read_bearer(ask))
        session = PageSession(
            token=token, idle_s=IDLE_SECONDS, total_s=TOTAL_SECONDS, recipes=list_recipes(), fields=list(FIELDS)
        )
        await ask.respond(session)

    async def list_requests(self, ask: Ask) -> None:
        """List the newest requests that a filter fits. Raises BadRequest."""
        asked, before = requests.read_filter(ask.query.get("filter", "")), ask.query.get("before", "")
        await _respond(ask, await run_query(ask, requests.find_requests, ask.runtime, asked, before))

    async def explain_request(self, ask: Ask) -> None:
        """Tell what is known of one request. Raises NotFound."""
        await _respond(ask, await run_query(ask, requests.explain_request, ask.runtime, ask.names["id"]))

    async def sum_usage(self, ask: Ask) -> None:
        """Add up hours or days. Raises BadRequest."""
        query = ask.query
        asked = usage.read_asked(query.get("since", "24h"), query.get("by", "model"), query.get("step", "hour"))
        await _respond(ask, await run_query(ask, usage.sum_up, ask.runtime, asked))

    async def stream(self, ask: Ask) -> None:
        """Tell what happens until the tab leaves. Raises BadRequest, Unavailable."""
        asked = requests.read_filter(ask.query.get("filter", ""))
        connection, token = ask.connection, _read_bearer(ask)
        head = ask.headers(endpoints.PAGE_LIVE.content)
        if ask.request.method == "HEAD":
            await connection.respond(200, head)
            return
        if self._watching >= WATCHERS:
            raise Unavailable(f"{WATCHERS} tabs already watch this proxy. Close some.", retry_after=10)
        self._watching += 1
        try:
            watcher = Watcher(ask, self._feed, self._reporter, asked, lambda: self._sessions.check(token))
            connection.set_deadline(math.inf, CancelReason.TOTAL)
            await connection.write(connection.frame_head(200, head))
            await watcher.begin()
            await watcher.run()
        finally:
            self._watching -= 1
        await connection.write(connection.frame_end())


#: Endpoint -> its handler.
HANDLERS: Mapping[Endpoint[Any, Any], Callable[[LocalPage, Ask], Awaitable[None]]] = {
    endpoints.MAKE_PAGE_CODE: LocalPage.make_code,
    endpoints.LOCAL_PAGE: LocalPage.serve_page,
    endpoints.LOCAL_PAGE_ROOT: LocalPage.serve_page,
    endpoints.PAGE_FILE: LocalPage.serve_file,
    endpoints.PAGE_SESSION: LocalPage.open_session,
    endpoints.PAGE_LIVE: LocalPage.stream,
    endpoints.PAGE_REQUESTS: LocalPage.list_requests,
    endpoints.PAGE_REQUEST: LocalPage.explain_request,
    endpoints.PAGE_USAGE: LocalPage.sum_usage,
}


def find_obstacle(settings: Settings, *, contained: bool) -> str:
    """Why the page is not served, and what to do about it; '' when it is. contained: the proxy runs in a container."""
    if not is_loopback(settings.host):
        return f"The local page is served on loopback only, and this proxy listens on {settings.host} (host)."
    if settings.ui is False:
        return "The local page is switched off (ui = off). Switch it on:   fairlead config set ui on"
    if settings.ui is None and contained:
        return (
            "The local page is off in a container, whose port others may reach. If only you can reach it:   "
            "fairlead config set ui on"
        )
    return ""


def list_recipes() -> list[Recipe]:
    """How each tool is pointed at the proxy, in the order of `fairlead setup`."""
    from router.setup.table import TOOLS

    return [
        Recipe(
            title=tool.title,
            setup=f"fairlead setup {tool.name}",
            run=f"fairlead run -- {tool.program}" if tool.program else "",
        )
        for tool in TOOLS
    ]


async def _respond(ask: Ask, answer: object) -> None:
    # In a thread: the texts of 200 requests take milliseconds.
    body = await trio.to_thread.run_sync(encode, answer)
    await ask.respond_with(200, "application/json", body)


def _read_bearer(ask: Ask) -> bytes:
    return strip_scheme(ask.request.fields.get(b"authorization", b""))
