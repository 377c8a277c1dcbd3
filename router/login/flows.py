"""The ways to log in, from the page that the user opens to the tokens.

Rules of this file: the listener and what is pasted wait side by side, and the first answer that belongs to this login
counts; a login that is not finished leaves nothing behind.
"""

from collections.abc import Awaitable, Callable
from typing import NamedTuple
from urllib.parse import urlsplit

import trio

from router.errors import CommandError
from router.login import code as codes
from router.login import device, openrouter
from router.login.callback import Callback, Judge, listen
from router.login.calls import Client, Grant, Send
from router.login.code import Expected, Foreign, Refused, Returned
from router.login.metadata import Metadata, require_endpoint
from router.net.loopback import LOCALHOST
from router.settings import Secret

#: How long the user has in the browser.
BROWSER_SECONDS = 300.0
#: Where issuers send the browser unless --redirect-uri names another place: RFC 8252 7.3 wants the literal address.
DEFAULT_REDIRECT = "http://127.0.0.1/callback"


class Terminal(NamedTuple):
    """What a flow needs of the user."""

    #: Prints a line.
    say: Callable[[str], None]
    #: Opens a page, False when it could not; None where none is to be opened.
    open_page: Callable[[str], Awaitable[bool]] | None = None
    #: Reads a line that the user pastes, None at its end; None where nothing is pasted.
    read_line: Callable[[], Awaitable[str | None]] | None = None


class Redirect(NamedTuple):
    """Where the issuer sends the browser."""

    #: Without a port where any does.
    uri: str
    path: str
    #: 0 for a free one, None where nothing on this machine can listen there.
    port: int | None

    def fill(self, port: int) -> str:
        """The URI with the port that is listened on."""
        parts = urlsplit(self.uri)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        return self.uri if parts.port is not None else parts._replace(netloc=f"{host}:{port}").geturl()


def read_redirect(uri: str) -> Redirect:
    """The parts of a redirect URI. Raises CommandError for one that no login can use."""
    wrong = CommandError(
        "--redirect-uri cannot be used; expected a URL of this machine such as http://localhost:8765/callback, as it "
        "is registered with your client, or an https:// one with --manual."
    )
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        raise wrong from None
    named = parts.hostname in ("localhost", *LOCALHOST)
    plain = uri.isascii() and uri.isprintable() and " " not in uri and not parts.fragment and parts.username is None
    if not plain or port == 0 or not (parts.scheme == "https" or (parts.scheme == "http" and named)):
        raise wrong
    if parts.scheme == "https":
        return Redirect(uri, parts.path, None)
    if parts.query:
        raise wrong
    # An empty path is asked for as /.
    return Redirect(uri, parts.path or "/", port or 0)


async def log_in_with_code(
    ask: Send, found: Metadata, client: Client, terminal: Terminal, redirect: Redirect, *, scope: str, audience: str
) -> Grant:
    """The authorization code flow of a browser. Raises IssuerError, CommandError."""
    codes.check_pkce(found)
    endpoint = require_endpoint(found, "authorization_endpoint")
    require_endpoint(found, "token_endpoint")
    own = codes.make_secrets()
    expected = Expected(own.state, found.issuer, found.names_itself)

    def make_url(uri: str) -> str:
        return codes.make_url(endpoint, client.id, uri, own, scope=scope, audience=audience)

    code, uri = await _await_code(
        terminal,
        redirect,
        make_url,
        lambda parameters: codes.judge(parameters, expected),
        lambda text: codes.judge_pasted(text, expected),
    )
    return await codes.exchange(ask, found, client, code, uri, own)


async def log_in_with_device(
    ask: Send, found: Metadata, client: Client, terminal: Terminal, *, scope: str, audience: str
) -> Grant:
    """The device flow. Raises IssuerError."""
    require_endpoint(found, "token_endpoint")
    begun = await device.begin(ask, found, client, scope=scope, audience=audience)
    spoken = f"   ({begun.spoken})" if begun.spoken != begun.user_code else ""
    terminal.say(f"Open this page, on any device, and give it the code:\n  {begun.page}\n  {begun.user_code}{spoken}")
    if terminal.open_page is not None and await terminal.open_page(begun.whole_page or begun.page):
        terminal.say("It was opened in the browser. Check that it shows the same code.")
    terminal.say(f"Waiting, for {begun.lifetime / 60:.0f} min at most.")
    return await device.poll(ask, found, client, begun, terminal.say)


async def log_in_at_openrouter(ask: Send, terminal: Terminal) -> Secret:
    """OpenRouter's own flow. Raises IssuerError, CommandError."""
    own, path = codes.make_secrets(), openrouter.make_path()
    code, _ = await _await_code(
        terminal,
        # Its documentation names `localhost`, on any port.
        Redirect(f"http://localhost{path}", path, 0),
        lambda uri: openrouter.make_url(uri, own),
        openrouter.judge,
        lambda text: openrouter.judge_pasted(text, path),
    )
    return await openrouter.exchange(ask, code, own)


async def _await_code(
    terminal: Terminal,
    redirect: Redirect,
    make_url: Callable[[str], str],
    judge: Judge,
    judge_pasted: Callable[[str], Returned],
) -> tuple[str, str]:
    """The code that comes back, and the redirect URI that was used. Raises IssuerError, CommandError."""
    if redirect.port is None:
        callback, uri = Callback(redirect.path, 0, judge, terminal.say), redirect.uri
        await _wait(terminal, make_url(uri), uri, callback, judge_pasted, listens=False)
    else:
        async with listen(redirect.path, redirect.port, judge, terminal.say) as callback:
            uri = redirect.fill(callback.port)
            await _wait(terminal, make_url(uri), uri, callback, judge_pasted, listens=True)
    # Outside, so that an error leaves no group.
    if callback.result is None:
        raise CommandError(
            f"no answer came within {BROWSER_SECONDS / 60:.0f} min."
            if terminal.read_line is None
            else "no answer came.",
            "Try again. Where the browser is on another machine, paste what it ends at:   --manual",
        )
    if isinstance(callback.result, Refused):
        raise callback.result.error
    return callback.result, uri


async def _wait(
    terminal: Terminal,
    url: str,
    uri: str,
    callback: Callback,
    judge_pasted: Callable[[str], Returned],
    *,
    listens: bool,
) -> None:
    """Show the page, and wait for what comes first. uri: where the browser goes from there."""
    opened = terminal.open_page is not None and await terminal.open_page(url)
    terminal.say(f"{'The browser shows this page' if opened else 'Open this page in a browser'}:\n\n{url}\n")
    if terminal.read_line is not None:
        terminal.say(
            f"When you are logged in, the browser goes to {uri}?… If it shows an error there, paste that whole address "
            "here, or the code in it, and press Enter."
        )
    with trio.move_on_after(BROWSER_SECONDS):
        async with trio.open_nursery() as nursery:
            if terminal.read_line is not None:
                nursery.start_soon(_read_pasted, terminal, callback, judge_pasted, listens)
            await callback.done.wait()
            nursery.cancel_scope.cancel()


async def _read_pasted(
    terminal: Terminal, callback: Callback, judge_pasted: Callable[[str], Returned], listens: bool
) -> None:
    assert terminal.read_line is not None
    while (line := await terminal.read_line()) is not None:
        if not line.strip():
            continue
        returned = judge_pasted(line)
        if isinstance(returned, Foreign):
            terminal.say(f"That was not used: {returned.why}. Paste the whole address.")
        elif callback.take(returned):
            return
    if not listens:
        # Nothing else can come.
        callback.done.set()
