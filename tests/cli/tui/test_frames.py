"""What the screen shows, frame by frame, in every state and size: golden texts in frames/."""

import os
from pathlib import Path

import pytest

from .pictures import STATES, drive, make_home, make_request

FRAMES = Path(__file__).parent / "frames"
SIZES = [(80, 24), (120, 40), (200, 60)]
PANES = {"Status": "1", "Requests": "2", "Analytics": "3", "Accounts": "4", "Backends": "5", "Config": "6"}


def collect_frames(picture, size, **environ):
    """The frames of all panes, one below the other."""
    found = []

    async def look(screen):
        for key in PANES.values():
            await screen.press(key)
            found.append(screen.frame())

    drive(look, picture, size, **environ)
    return found


@pytest.mark.parametrize("size", SIZES, ids=[f"{width}x{height}" for width, height in SIZES])
@pytest.mark.parametrize("state", STATES)
def test_every_pane_in_every_state(tmp_path, state, size):
    """Each pane shows just this; FAIRLEAD_WRITE_GOLDEN=1 writes it anew."""
    width, height = size
    frames = collect_frames(STATES[state](make_home(tmp_path), width), size)
    for frame in frames:
        assert len(frame.split("\n")) == height
        assert max(map(len, frame.split("\n"))) <= width
    rule = "\n" + "~" * width + "\n"
    text = rule.join(frames) + "\n"
    golden = FRAMES / f"{state}-{width}x{height}.txt"
    if os.environ.get("FAIRLEAD_WRITE_GOLDEN") == "1":
        golden.write_text(text, "utf-8")
    assert text == golden.read_text("utf-8")


def test_colour_only_adds(tmp_path):
    """Without colours the text is the same."""
    picture = STATES["busy"](make_home(tmp_path), 80)
    assert collect_frames(picture, (80, 24)) == collect_frames(picture, (80, 24), NO_COLOR="1")


@pytest.mark.parametrize(
    ("state", "size"), [*((state, (20, 5)) for state in STATES), ("busy", (1, 1)), ("halted", (40, 10))]
)
def test_a_tiny_terminal_shows_what_fits(tmp_path, state, size):
    """Nothing is too small to run in, and no line is longer than the screen."""
    for frame in collect_frames(STATES[state](make_home(tmp_path), size[0]), size):
        assert max(map(len, frame.split("\n"))) <= size[0]


def test_hostile_names_are_text(tmp_path):
    """Escape sequences, markup and right-to-left marks of other programs change nothing on the screen."""
    hostile = "\x1b[2J[red]x[/red]\u202e\n\t日本語日本語日本語"
    picture = STATES["busy"](make_home(tmp_path), 120)
    names = {"model": hostile, "client": hostile, "backend": hostile, "account": hostile, "error_text": hostile}
    picture = picture._replace(
        requests=(make_request(1, **names), make_request(2, **names, error="bad", status=500), make_request(3))
    )

    async def look(screen):
        await screen.press("2")
        frame = screen.frame()
        assert "[red]x[/red]" in frame
        assert not {"\x1b", "\u202e", "\t"} & set(frame)
        assert len(frame.split("\n")) == 40

    drive(look, picture, (120, 40))


def test_the_top_line_stays(tmp_path):
    """Whatever is shown below it, the first line says how the proxy is."""
    home = make_home(tmp_path)

    async def look(screen):
        first = screen.frame().split("\n")[0]
        assert "serving" in first
        assert "localhost:3456" in first
        for key in ("2", "enter", "escape", "question_mark", "escape", "slash", "escape", "6", "enter"):
            await screen.press(key)
            assert screen.frame().split("\n")[0] == first
        await screen.show(STATES["halted"](home, 80))
        assert "halted" in screen.frame().split("\n")[0]

    drive(look, STATES["busy"](home, 80))
