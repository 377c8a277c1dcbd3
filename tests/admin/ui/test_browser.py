"""The local page in a real browser: what a person sees and does there, and what other pages can't.

It needs the package playwright and Chromium ($FAIRLEAD_CHROMIUM, else /usr/bin/chromium); the test of accessibility
needs the script of axe-core too ($FAIRLEAD_AXE). $FAIRLEAD_PICTURES names a folder for screenshots.
"""

import contextlib
import http.server
import json
import os
import random
import threading
import time
from pathlib import Path

import pytest

from router.store.database.open import open_history
from router.store.database.writer import Ledger
from router.store.home.home import open_home

from ...e2e.processes import Proxy, backend, make_home
from ...e2e.upstream import Upstream, plain
from ...e2e.wire import Client, ask, request
from ...store.history.test_record import begun, entry
from .browsing import CHROMIUM, MS, SIZES, Tab, launch_browser
from .test_page import HOSTILE, PATH, Watched, make_code, open_tab, send

AXE = Path(os.environ.get("FAIRLEAD_AXE", "/nonexistent"))

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium"),
    # Of the browser's driver, when it ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
pytest.importorskip("playwright.sync_api")


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as found:
        yield found


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with Proxy(tmp_path_factory.mktemp("browser")) as found:
        for model in ("demo", "demo-tools", "demo-429", "demo-500", "nobody", "demo"):
            send(found, model)
        yield found


@pytest.fixture
def tabs(browser):
    with contextlib.ExitStack() as stack:

        def make(port, **options):
            tab = Tab(browser, port, **options)
            stack.callback(tab.context.close)
            return tab

        yield make


def test_it_opens_by_the_code_only(tabs, proxy):
    """Without a code the page says how to get one; the code leaves the address, opens one tab, and survives a reload
    there; it opens no second tab."""
    without = tabs(proxy.port).open()
    assert without.see("#closed code").inner_text() == "fairlead ui"
    assert without.page.locator("#main").is_hidden()
    code = make_code(proxy)
    tab = tabs(proxy.port).open(code)
    tab.see("#ended tr")
    assert tab.page.url == f"{tab.root}/ui/"
    tab.page.reload()
    tab.see("#ended tr")
    assert tab.page.context.cookies() == []
    tab.check()
    other = tab.context.new_page()
    other.goto(f"{tab.root}/ui/")
    other.locator("#closed").wait_for(timeout=MS)
    second = tabs(proxy.port).open(code)
    assert "used before" in second.see("#closed-why", "fairlead ui").inner_text()
    # Two had the code: the first has no access any more either.
    tab.see("#closed-why", "no access")


def test_a_running_stream_is_shown_within_a_second(tabs, proxy):
    """While it is being answered, with the tokens so far; then among those that have ended, without a reload."""
    tab = tabs(proxy.port).open(make_code(proxy))
    tab.see("#ended tr")
    body = {"model": "demo-slow", "stream": True, "messages": [{"role": "user", "content": "a b c d e f"}]}
    with Client(proxy.port) as client:
        began = time.monotonic()
        client.send(request(PATH, json.dumps(body).encode()))
        tab.see("#running tr", "demo-slow")
        assert time.monotonic() - began < 1
        client.answer()
    tab.see("#ended tr", "demo-slow")
    tab.page.locator("#running tr").wait_for(state="detached")
    tab.check()


def test_filter_and_detail_by_keyboard(tabs, proxy):
    """`/` leads to the filter, Enter applies it; what it lacks is said; a request opens by Enter, shows its attempts
    and what `why` says, and Esc leads back to it."""
    tab = tabs(proxy.port).open(make_code(proxy))
    tab.see("#ended tr", "demo-tools")
    tab.page.keyboard.press("/")
    tab.page.keyboard.type("status:5xx")
    tab.page.keyboard.press("Enter")
    tab.page.locator("#ended tr", has_text="demo-tools").wait_for(state="detached")
    assert "demo-500" in tab.see("#ended tr").inner_text()
    tab.page.locator("#ended tr button").first.focus()
    tab.page.keyboard.press("Enter")
    tab.see("#why dt", "error")
    assert tab.page.locator("#waterfall svg").count() == 1
    assert "500" in tab.page.locator("#why").inner_text()
    tab.page.keyboard.press("Escape")
    tab.page.locator("#detail").wait_for(state="hidden")
    assert tab.page.evaluate("document.activeElement.className") == "open"
    tab.check()
    tab.page.locator("#filter").fill("modle:x")
    tab.page.keyboard.press("Enter")
    tab.see("#filter-error", "the nearest is model")
    tab.page.locator("#filter").fill("nothing-has-this")
    tab.page.keyboard.press("Enter")
    tab.see("#none", "No request fits")


def test_pause(tabs, proxy):
    """While it is paused the list stays as it is, and says how many have ended since."""
    tab = tabs(proxy.port).open(make_code(proxy))
    tab.see("#ended tr")
    tab.page.keyboard.press("p")
    shown = tab.page.locator("#ended tr").count()
    send(proxy, "demo")
    tab.see("#counter", "1 more have ended")
    assert tab.page.locator("#ended tr").count() == shown
    tab.page.locator("#pause").click()
    tab.see(f"#ended tr:nth-child({shown + 1})")
    tab.check()


def test_usage(tabs, proxy):
    """The charts and the table change with what is chosen."""
    tab = tabs(proxy.port).open(make_code(proxy))
    tab.see("#stacked rect")
    assert "by model" in tab.see("#stacked figcaption").inner_text()
    for by in ("account", "client", "tag", "key", "model"):
        tab.page.select_option("#by", by)
        tab.see("#stacked figcaption", f"by {by}")
    for since in ("7d", "30d"):
        tab.page.select_option("#since", since)
        tab.see("#stacked figcaption", "per hour" if since == "7d" else "per day")
    tab.page.select_option("#measure", "requests")
    tab.see("#stacked figcaption", "Requests per day")
    assert tab.see("#sums tr", "demo-500")
    tab.check()


def test_a_restart(tabs, tmp_path):
    """The page says that the proxy is gone, and once another one serves that its access has ended; a new code in the
    same tab goes on. A connection that broke is made again by itself."""
    with Proxy(tmp_path) as first:
        send(first, "demo")
        tab = tabs(first.port).open(make_code(first))
        tab.see("#ended tr")
        tab.context.set_offline(True)
        tab.page.locator("#filter-form button").first.click()
        tab.see("#link", "does not answer")
        tab.context.set_offline(False)
        tab.see("#link", "connected again")
        port = first.port
    tab.see("#link", "does not answer")
    assert tab.page.locator("#ended tr").count() == 1
    with Proxy(tmp_path, "--port", str(port)) as second:
        tab.see("#closed-why", "started again")
        tab.page.goto(f"{tab.root}/ui/#{make_code(second)}")
        send(second, "demo-tools")
        tab.see("#ended tr", "demo-tools")
        assert tab.page.locator("#closed").is_hidden()
        assert tab.page.url == f"{tab.root}/ui/"


def poison(value):
    """The same JSON, with markup in the place of each text and in front of each name that is data."""
    if isinstance(value, dict):
        return {name: poison(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [poison(inner) for inner in value]
    return HOSTILE if isinstance(value, str) else value


def test_hostile_names(tabs, tmp_path):
    """Markup in a model's name, in an error, in a header: shown as text, in the list and in the detail."""
    up = Upstream(models=("m", HOSTILE))
    up.default = (plain(json.dumps({"error": {"message": HOSTILE, "type": HOSTILE}}).encode(), b"500 x"),)
    try:
        with Proxy(tmp_path, backends=[backend("box", up.root)]) as proxy:
            proxy.settled("box")
            for model in (HOSTILE, f"box:{HOSTILE}", "<script>alert(1)</script>", "m"):
                send(proxy, model)
            send(proxy, "m", "Hi", (b"x-fairlead-tag", b"<b onclick=alert(1)>tag</b>"))
            tab = tabs(proxy.port).open(make_code(proxy))
            tab.see("#ended tr", "<img src=x onerror=alert(1)>")
            tab.see("#ended tr", "<b onclick=alert(1)>")
            tab.see("#sums tr", "<script>")
            for place in range(tab.page.locator("#ended button").count()):
                tab.page.locator("#ended button").nth(place).click()
                tab.see("#why dd")
                tab.page.keyboard.press("Escape")
            assert tab.page.locator("img, b, main script, [onclick], [onerror]").count() == 0
            tab.check()
    finally:
        up.stop()


def test_hostile_answers(tabs, proxy):
    """Whatever the proxy may be made to say, in every field at once: all of it is shown as text."""
    with Watched(proxy, open_tab(proxy)) as stream:
        state = poison(stream.find("state"))
    names = {HOSTILE: {"requests": 1, "errors": 1, "tokens": 9, "cache_read": 1, "input": 2, "cost_usd": 1.5}}
    limit = {"name": HOSTILE, "used": 0.9, "resets_s": 9.0}
    for one in state["state"]["backends"]:
        one["accounts"][0]["limits"] = [limit]
    state["state"]["problems"] = [HOSTILE]
    halt = {"scope": HOSTILE, "since": 1.0, "until": 2.0, "reason": HOSTILE, "request": HOSTILE}
    state["state"]["guard"]["halts"] = [halt]
    run = {"id": "x", "age_s": 1, "attempts": 2, "tokens": 1} | dict.fromkeys(
        ("model", "client", "tag", "backend", "account", "waits"), HOSTILE
    )
    stream = f"event: state\ndata: {json.dumps(state)}\n\n"

    def answer(route):
        if "/live" in route.request.url:
            route.fulfill(body=stream, content_type="text/event-stream")
            return
        # No request has the id that the list was given.
        url = f"{tab.root}/ui/api/requests/-" if "/requests/" in route.request.url else route.request.url
        found = poison(route.fetch(url=url).json())
        for step in found.get("steps", ()):
            step["names"] = names
        route.fulfill(json=found)

    tab = tabs(proxy.port)
    tab.page.route("**/ui/api/**", answer)
    tab.open(make_code(proxy))
    for place in ("#ended tr", "#sums tr", "#account-list tr", "#problem-list li", "#halt", "#stacked li"):
        tab.see(place, "<img src=x onerror=alert(1)>")
    # The stream has ended, which clears what runs.
    script = tab.page.locator("script").get_attribute("src").replace("main.js", "list.js")
    show = "async ([script, run]) => { (await import(script)).showRunning([run]); return running.textContent; }"
    assert "<img src=x onerror=alert(1)>" in tab.page.evaluate(show, [script, run])
    tab.page.locator("#ended button").first.click()
    tab.see("#why dd", "<img src=x")
    assert tab.page.locator("img, b, main script, [onclick], [onerror]").count() == 0
    tab.check()


REACH = """async (root) => {
  const found = {};
  for (const path of ["/ui/", "/ui/session", "/ui/api/requests", "/status"]) {
    for (const mode of ["cors", "no-cors"]) {
      try {
        const answer = await fetch(root + path, { mode, headers: mode === "cors" ? { authorization: "x" } : {} });
        found[path + mode] = [answer.status, (await answer.text()).length];
      } catch (error) { found[path + mode] = "refused"; }
    }
  }
  const frame = document.createElement("iframe");
  frame.src = root + "/ui/";
  document.body.append(frame);
  await new Promise((done) => { frame.onload = done; setTimeout(done, 2000); });
  try { found.frame = frame.contentDocument === null ? "refused" : frame.contentDocument.title; }
  catch (error) { found.frame = "refused"; }
  found.storage = sessionStorage.length;
  return found;
}"""


def test_a_page_of_another_port_reaches_nothing(tabs, proxy):
    """Another program's page on localhost reads nothing of it: no fetch, no frame, no storage of the tab."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html")
            self.end_headers()
            self.wfile.write(b"<title>other</title>")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        tab = tabs(proxy.port).open(make_code(proxy))
        tab.see("#ended tr")
        other = tab.context.new_page()
        other.goto(f"http://localhost:{server.server_port}/")
        found = other.evaluate(REACH, tab.root)
        assert found.pop("frame") == "refused"
        assert found.pop("storage") == 0
        assert {str(value) for value in found.values()} <= {"refused", "[0, 0]"}
        # Nor does a link from it open the page.
        with other.expect_response(f"{tab.root}/ui/") as answer:
            other.evaluate("(root) => { location.href = root + '/ui/'; }", tab.root)
        assert answer.value.status == 403
    finally:
        server.shutdown()
        server.server_close()


PAINTED = """() => new Promise((done) => new PerformanceObserver((list) => done(list.getEntries()[0].startTime))
  .observe({ type: "paint", buffered: true }))"""


def test_a_long_history(tabs, tmp_path, capsys):
    """With 100,000 requests the page is painted within half a second, and its list and charts are there soon; older
    requests come by the hundred."""
    home = open_home({"FAIRLEAD_HOME": str(make_home(tmp_path))})
    chance, now = random.Random(1), time.time()
    history = begun(Ledger(home, print))
    with contextlib.closing(open_history(home)[0]) as db:
        for first in range(0, 100_000, 10_000):
            entries = [
                entry(first + number, started=now - (100_000 - first - number) * 25, model=f"m{chance.randrange(12)}")
                for number in range(10_000)
            ]
            db.execute("BEGIN IMMEDIATE")
            history._write(db, entries)
            db.execute("COMMIT")
    with Proxy(tmp_path) as proxy:
        proxy.loaded()
        tab = tabs(proxy.port)
        code = make_code(proxy)
        began = time.monotonic()
        tab.open(code).see("#ended tr:nth-child(200)")
        listed = time.monotonic() - began
        tab.see("#stacked rect")
        charted = time.monotonic() - began
        painted = tab.page.evaluate(PAINTED) / 1000
        tab.page.select_option("#since", "30d")
        tab.see("#stacked figcaption", "per day")
        with capsys.disabled():
            print(f" painted {painted:.2f} s, listed {listed:.2f} s, charted {charted:.2f} s")
        assert painted <= 0.5
        for place in range(1, 25):
            tab.page.locator("#older").click()
            tab.see(f"#ended tr:nth-child({200 * (place + 1)})")
        tab.page.locator("#filter").fill("model:m1 !model:m10 !model:m11")
        tab.page.keyboard.press("Enter")
        tab.page.locator("#ended tr:nth-child(201)").wait_for(state="detached")
        tab.see("#ended tr", "m1")
        tab.check()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.skipif(not AXE.exists(), reason="$FAIRLEAD_AXE names no script of axe-core")
def test_accessible(tabs, proxy, size, scheme):
    """axe finds no serious fault, with the page open, with a request open, and closed; nothing is wider than the
    screen."""
    width, height = SIZES[size]
    tab = tabs(proxy.port, viewport={"width": width, "height": height}, color_scheme=scheme, reduced_motion="reduce")
    tab.open(make_code(proxy)).see("#sums tr")
    tab.see("#ended tr")
    tab.page.evaluate(AXE.read_text("utf-8"))
    find = "async () => (await axe.run()).violations.map((one) => [one.impact, one.id, one.nodes.map((n) => n.html)])"
    folder = os.environ.get("FAIRLEAD_PICTURES")
    for state in ("page", "detail", "closed"):
        if state == "detail":
            tab.page.locator("#ended button").first.click()
            tab.see("#why dd")
        elif state == "closed":
            tab.page.keyboard.press("Escape")
            tab.page.evaluate("sessionStorage.clear()")
            tab.page.reload()
            tab.see("#closed")
            tab.page.evaluate(AXE.read_text("utf-8"))
        assert [one for one in tab.page.evaluate(find) if one[0] in ("serious", "critical")] == [], state
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= width
        if folder:
            tab.page.screenshot(path=f"{folder}/{state}-{scheme}-{size}.png", full_page=state == "page")


def test_print(tabs, proxy):
    """On paper there are the tables and the charts, without what is clicked."""
    tab = tabs(proxy.port).open(make_code(proxy))
    tab.see("#sums tr")
    tab.page.emulate_media(media="print")
    assert tab.page.locator("#filter-form").is_hidden()
    assert tab.page.locator("#stacked svg").first.is_visible()
    assert tab.page.pdf()[:5] == b"%PDF-"


def test_asked_without_javascript(browser, proxy):
    """A browser without JavaScript says what to use instead."""
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"http://localhost:{proxy.port}/ui/")
    assert "fairlead top" in page.locator("body").inner_text()
    context.close()


def test_it_answers_like_any_client(proxy):
    """What the browser loads is there for a plain request too."""
    assert ask(proxy.port, "/ui/").status == 200
