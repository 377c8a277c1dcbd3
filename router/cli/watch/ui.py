"""`fairlead ui`: open the local page of the running proxy in the browser."""

import os

from router.cli.common.layout import note, print_json, say
from router.cli.common.parser import Parser
from router.cli.common.running_proxy import proven
from router.errors import CommandError
from router.host.event_loop import run_async
from router.login.browser import has_browser, is_remote, open_page
from router.net.control.request import ControlError
from router.operator_api import endpoints
from router.settings.kinds import clean
from router.store.home.client_key import has_other_users
from router.store.home.home import Home, open_home

UI_SCHEMA = 1
_OPENS = "The page opens in your browser."


def run(argv: list[str]) -> int:
    """Make a code for one tab, and open the page with it."""
    parser = Parser(
        "ui",
        "Open the local page of the running proxy in the browser: what runs, what has ended, cost and tokens over "
        "time, accounts. It changes nothing. The address opens one tab, once, within a minute; the tab has access for "
        "24 hours, or until the proxy ends.",
        examples=["fairlead ui", "fairlead ui --no-open"],
    )
    parser.add_argument("--no-open", action="store_true", help="print the address, and open no browser")
    parser.add_argument("--json", action="store_true", help="print the address as JSON, and open no browser")
    options = parser.read(argv)
    home = open_home(os.environ)
    if not (options.no_open or options.json):
        notes, url = open_in_browser(home)
        if not url:
            say("\n".join(notes))
            return 0
    else:
        url, seconds = run_async(_make_address, home)
        if options.json:
            print_json({"schema": UI_SCHEMA, "url": url, "expires_s": seconds})
            return 0
        notes = [_explain(asked=True, seconds=seconds)]
    print(url)
    for line in notes:
        note(line)
    return 0


def open_in_browser(home: Home) -> tuple[list[str], str]:
    """Open the page of the running proxy. Returns what to say, and the address for the user to open; '' where a browser
    opens it. Raises CommandError."""
    url, seconds = run_async(_make_address, home)
    failed: list[str] = []
    if not has_other_users() and has_browser(os.environ):
        if run_async(open_page, url, os.environ):
            return [_OPENS], ""
        failed = ["No browser could be started here."]
    return [*failed, _explain(asked=False, seconds=seconds)], url


def _explain(*, asked: bool, seconds: float) -> str:
    """What to do with the address that was printed. asked: its user wanted it to be printed."""
    text = f"Open this address within {seconds:g} s; it opens one tab."
    if is_remote(os.environ):
        return f"{text} The page is on the machine of the proxy: forward its port to your own under the same number."
    if has_other_users() and not asked:
        # The arguments of the browser's program are readable by everybody here.
        return f"{text} No browser was started, as other users of this machine could read the address meanwhile."
    return text


async def _make_address(home: Home) -> tuple[str, float]:
    """The address with a code, and the seconds in which it opens the page. Raises CommandError."""
    refused: CommandError | None = None
    for run, proxy in await proven(home):
        try:
            made = await proxy.call(endpoints.MAKE_PAGE_CODE)
        except ControlError as error:
            said = clean(str(error), 400)
            refused = refused or CommandError(f"the proxy on :{run.port} does not open its page: {said}")
            continue
        return f"{run.url}{endpoints.LOCAL_PAGE_ROOT.path}#{made.code}", made.expires_s
    raise refused or CommandError("no proxy is running.", "Start it:   fairlead proxy")
