"""How the page looks: golden pictures, light and dark, narrow and wide.

They hold for the browser and the fonts that drew them, which pictures/drawn-by.json names; elsewhere nothing is
compared. FAIRLEAD_WRITE_GOLDEN=1 writes them anew.
"""

import base64
import json
import os
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from .browsing import CHROMIUM, SIZES, Tab, launch_browser
from .shown import NOW, RECIPES, encode_stream, make_requests, make_usage
from .test_page import make_code

FOLDER = Path(__file__).parent / "pictures"
DRAWN_BY = FOLDER / "drawn-by.json"
WRITES = os.environ.get("FAIRLEAD_WRITE_GOLDEN") == "1"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="there is no Chromium"),
    # Of the browser's driver, when it ends.
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]
pytest.importorskip("playwright.sync_api")

# A stream that goes on, as that of a proxy does; what Playwright answers ends at once.
STREAM = """(() => {
  const before = window.fetch;
  window.fetch = (url, options) => {
    if (!String(url).includes("/ui/api/live")) return before(url, options);
    const begin = (stream) => stream.enqueue(new TextEncoder().encode(TEXT));
    return Promise.resolve(new Response(new ReadableStream({ start: begin })));
  };
})();"""
#: Widths of words in the fonts of the page.
FONTS = """() => ["system-ui, sans-serif", 'ui-monospace, "SF Mono", Menlo, Consolas, monospace'].map((font) => {
  const context = document.createElement("canvas").getContext("2d");
  context.font = `20px ${font}`;
  return context.measureText("How wide is this? 0123456789").width;
})"""
# The largest share of changed pixels in a square of so many pixels: the edges of a letter may be drawn a little
# differently, a word that changed may not.
SQUARE, SHARE, STEP = 40, 0.02, 64
COMPARE = """async ([one, other, square, step]) => {
  const load = async (data) => {
    const image = new Image();
    image.src = `data:image/png;base64,${data}`;
    await image.decode();
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [image.width, image.height];
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    return context.getImageData(0, 0, image.width, image.height);
  };
  const [a, b] = [await load(one), await load(other)];
  if (a.width !== b.width || a.height !== b.height) return `${a.width}x${a.height} is ${b.width}x${b.height} now`;
  const changed = new Map();
  for (let at = 0; at < a.data.length; at += 4) {
    if ([0, 1, 2].every((part) => Math.abs(a.data[at + part] - b.data[at + part]) <= step)) continue;
    const [x, y] = [(at / 4) % a.width, Math.floor(at / 4 / a.width)];
    const place = `${Math.floor(x / square) * square},${Math.floor(y / square) * square}`;
    changed.set(place, (changed.get(place) || 0) + 1 / square ** 2);
  }
  return [...changed].sort((p, q) => q[1] - p[1]).slice(0, 5);
}"""


@pytest.fixture(scope="module")
def browser():
    with launch_browser() as found:
        yield found


@pytest.fixture(scope="module")
def scratch(browser):
    """A page that compares pictures."""
    page = browser.new_page()
    yield page
    page.close()


@pytest.fixture(scope="module")
def drawn_by(browser, scratch):
    """The browser and the fonts, which are those of the pictures."""
    found = {"chromium": browser.version.partition(".")[0], "widths": scratch.evaluate(FONTS)}
    if WRITES:
        FOLDER.mkdir(exist_ok=True)
        DRAWN_BY.write_text(json.dumps(found) + "\n", "utf-8")
    if json.loads(DRAWN_BY.read_text("utf-8")) != found:
        pytest.skip(f"the pictures were drawn by another browser, or with other fonts, than {found}")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    from ...e2e.processes import Proxy

    with Proxy(tmp_path_factory.mktemp("pictures")) as found:
        yield found


def photograph(browser, proxy, size, scheme, change=lambda page: None):
    """The page with what `shown` has, as PNG. change: made to the page before."""
    width, height = SIZES[size]
    tab = Tab(
        browser,
        proxy.port,
        viewport={"width": width, "height": height},
        color_scheme=scheme,
        reduced_motion="reduce",
        timezone_id="UTC",
        locale="en-US",
    )
    page = tab.page
    page.clock.set_fixed_time(datetime.fromtimestamp(NOW, UTC))
    page.add_init_script(STREAM.replace("TEXT", json.dumps(encode_stream())))
    answers = {"usage": make_usage(), "requests": make_requests()}

    def answer(route):
        name = route.request.url.partition("/ui/api/")[2].partition("?")[0]
        route.fulfill(body=msgspec.json.encode(answers[name]), content_type="application/json")

    def let_in(route):
        found = route.fetch().json()
        route.fulfill(json={**found, "recipes": msgspec.to_builtins(RECIPES), "fields": ["model", "status"]})

    page.route("**/ui/api/**", answer)
    page.route("**/ui/session", let_in)
    tab.open(make_code(proxy))
    for shown in ("#running tr", "#ended tr:nth-child(4)", "#sums tr:nth-child(4)", "#stacked rect", "#halt p"):
        tab.see(shown)
    change(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    picture = page.screenshot(full_page=True, animations="disabled", caret="hide")
    tab.check()
    tab.context.close()
    return picture


def compare(scratch, one, other):
    """The squares that differ most, as (place, share); a text for pictures of different sizes."""
    encoded = [base64.b64encode(data).decode() for data in (one, other)]
    return scratch.evaluate(COMPARE, [*encoded, SQUARE, STEP])


def differs(found):
    """True when two pictures are not taken for the same."""
    return isinstance(found, str) or any(share > SHARE for _, share in found)


@pytest.mark.usefixtures("drawn_by")
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_looks_so(browser, scratch, proxy, size, scheme):
    """With the same data the page looks as in its picture, but for the edges of letters."""
    golden = FOLDER / f"page-{scheme}-{size}.png"
    picture = photograph(browser, proxy, size, scheme)
    if WRITES:
        golden.write_bytes(picture)
    found = compare(scratch, golden.read_bytes(), picture)
    if differs(found) and (folder := os.environ.get("FAIRLEAD_PICTURES")):
        (Path(folder) / golden.name).write_bytes(picture)
    assert not differs(found), found


@pytest.mark.usefixtures("drawn_by")
@pytest.mark.parametrize(
    "change",
    [
        "document.querySelector('#ended td.status').textContent = '201'",
        "document.querySelector('#sums').lastElementChild.remove()",
        "document.querySelector('#facts').style.color = 'red'",
    ],
    ids=["a number", "a line", "a colour"],
)
def test_a_change_is_seen(browser, scratch, proxy, change):
    """What changes a number, a line or a colour is no edge of a letter."""
    golden = (FOLDER / "page-light-360.png").read_bytes()
    picture = photograph(browser, proxy, "360", "light", lambda page: page.evaluate(f"() => {{ {change}; }}"))
    assert differs(compare(scratch, golden, picture))
