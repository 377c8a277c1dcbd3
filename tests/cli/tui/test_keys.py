"""What keys do: panes, filter, detail, copy, pause, and what is asked of the source."""

import msgspec
import pytest
from textual import events

from router.cli.tui.picture import KEPT

from .pictures import STATES, drive, make_home, make_request


def test_panes_by_number_and_tab(tmp_path):
    """1 to 6 show a pane, Tab the next one, Shift-Tab the one before."""

    async def press(screen):
        for key, title in (("2", "Requests"), ("6", "Config"), ("tab", "Status"), ("shift+tab", "Config")):
            await screen.press(key)
            assert title == screen.app.pane.TITLE
            assert f"{title}]" in screen.frame()

    drive(press, STATES["empty"](make_home(tmp_path), 80))


def test_the_mouse_can_be_used(tmp_path):
    """A click on a name shows that pane, one on a request moves the cursor there, the wheel moves it on."""

    async def press(screen):
        tabs = screen.frame().split("\n")[1]
        for title in ("Config", "Requests", "Accounts", "Requests"):
            await screen.pilot.click("#tabs", offset=(tabs.index(title) + 2, 0))
            assert title == screen.app.pane.TITLE
        await screen.pilot.click("#requests", offset=(5, 4))
        assert screen.app.pane.chosen.id == make_request(1).id
        screen.app.pane.on_mouse_scroll_down(events.MouseScrollDown(None, 5, 4, 0, 3, 0, False, False, False))
        assert screen.app.pane.chosen.id == make_request(4).id

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_a_filter_shows_what_fits(tmp_path):
    """The words of `fairlead log --filter` hold; the count and the words stand above, a mistake is told, Esc ends."""

    async def press(screen):
        await screen.press("2", "slash", *"status:5xx", "enter")
        frame = screen.frame()
        assert "1 of 4 ended   / status:5xx" in frame
        assert "Overloaded" in frame
        assert "aider" not in frame
        await screen.press("slash", *"bogus:1", "enter")
        assert "bogus is not a field" in screen.frame()
        await screen.press("escape", "escape")
        assert "4 ended" in screen.frame()
        assert "aider" in screen.frame()

    drive(press, STATES["busy"](make_home(tmp_path), 80), (120, 24))


def test_keys_that_leave_a_text_are_taken_in_order(tmp_path):
    """Typed at once: what leaves a text does not end the program because another pane was chosen meanwhile."""

    async def press(screen):
        for back in ("q", "enter", "question_mark", "escape"):
            await screen.press("question_mark")
            assert " Keys" in screen.frame()
            await screen.press(back, "2")
            assert "[2 Requests]" in screen.frame()
            assert " Keys" not in screen.frame()
        await screen.press("question_mark", "3", "q")
        assert not screen.app.is_running

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_letters_in_a_filter_are_letters(tmp_path):
    """q, p and numbers typed into it neither leave nor pause nor change the pane."""

    async def press(screen):
        await screen.press("2", "slash", *"q1pR?")
        assert screen.app.pane.TITLE == "Requests"
        assert "q1pR?" in screen.frame()
        assert "paused" not in screen.frame()

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_the_cursor_follows_until_it_is_moved(tmp_path):
    """On the first line it shows the newest; elsewhere it stays on its request, and new ones above are counted."""
    picture = STATES["empty"](make_home(tmp_path), 80)
    old = tuple(make_request(number) for number in range(100, 0, -1))

    def grown(count):
        return picture._replace(requests=(*(make_request(1000 + one) for one in range(count, 0, -1)), *old))

    async def press(screen):
        await screen.press("2")
        await screen.show(grown(1))
        assert screen.app.pane.chosen.id == make_request(1001).id
        await screen.press("j", "j")
        chosen = screen.app.pane.chosen.id
        assert chosen == make_request(99).id
        await screen.show(grown(8))
        assert screen.app.pane.chosen.id == chosen
        assert "7 new above" in screen.frame()
        await screen.press("g")
        assert screen.app.pane.chosen.id == make_request(1008).id
        assert "new above" not in screen.frame()
        await screen.press("G")
        assert screen.app.pane.chosen.id == make_request(1).id

    drive(press, grown(0))


def test_pause_keeps_the_screen(tmp_path):
    """Paused, nothing changes but the word for it; then the newest is shown."""
    home = make_home(tmp_path)

    async def press(screen):
        await screen.press("2", "p")
        assert "paused" in screen.frame().split("\n")[0]
        before = screen.frame()
        screen.source.picture = STATES["busy"](home, 80)
        await screen.pilot.pause(0.2)
        assert screen.frame() == before
        await screen.press("p")
        await screen.until_shown("Overloaded")

    drive(press, STATES["empty"](home, 80))


def test_enter_and_w_tell_why(tmp_path):
    """Enter shows what happened to the request below the cursor, Esc goes back; w asks of the latest elsewhere."""

    async def press(screen):
        await screen.press("2", "G", "enter")
        await screen.until_shown(f"{make_request(4).id} was asked about")
        await screen.press("escape")
        assert "was asked about" not in screen.frame()
        assert screen.app.pane.chosen.id == make_request(4).id
        await screen.press("1", "w")
        await screen.until_shown(f"{make_request(1).id} was asked about")
        await screen.press("3")
        assert "[3 Analytics]" in screen.frame()
        assert "was asked about" not in screen.frame()

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_copying_shows_what_was_copied(tmp_path):
    """y copies the id, Y the request as JSON, y in a detail its text; each is shown, as not every terminal copies."""

    async def press(screen):
        last = make_request(4)
        await screen.press("2", "G", "y")
        assert screen.app.clipboard == last.id
        assert f"copied: {last.id}" in screen.frame()
        await screen.press("Y")
        assert f'"id":"{last.id}"' in screen.app.clipboard
        await screen.press("enter")
        await screen.until_shown("was asked about")
        await screen.press("y")
        assert screen.app.clipboard == f"{last.id} was asked about"

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_a_halt_is_resumed_after_a_question(tmp_path):
    """R asks first; Esc leaves it, y resumes. Without a halt there is nothing to ask."""
    home = make_home(tmp_path)

    async def press(screen):
        assert "All traffic is halted until" in screen.frame()
        await screen.press("R", "escape")
        assert screen.source.asked == []
        await screen.press("R")
        assert "Resume traffic?" in screen.frame()
        await screen.press("y")
        await screen.until_shown("Traffic continues.")
        assert screen.source.asked == [("resume",)]
        await screen.show(STATES["empty"](home, 80))
        assert "halted" not in screen.frame()
        await screen.press("R")
        assert "Nothing is halted." in screen.frame()

    drive(press, STATES["halted"](home, 80))


def test_a_proxy_is_started_where_none_runs(tmp_path):
    """s starts one, and tells what came of it; where one runs it does not."""
    home = make_home(tmp_path)

    async def press(screen):
        await screen.press("s")
        await screen.until_shown("http://localhost:3456")
        assert screen.source.asked == [("start",)]
        await screen.show(STATES["empty"](home, 80))
        await screen.press("s")
        assert "A proxy runs already." in screen.frame()
        assert screen.source.asked == [("start",)]

    drive(press, STATES["offline"](home, 80))


def test_a_silent_proxy_is_not_taken_for_none(tmp_path):
    """Nothing is started beside it, and the screen does not say that none runs."""

    async def press(screen):
        assert "no answer from the proxy for 3 s" in screen.frame()
        assert "has not answered yet" in screen.frame()
        await screen.press("s")
        assert screen.source.asked == []

    picture = STATES["offline"](make_home(tmp_path), 80)
    drive(press, picture._replace(silent_s=3.0, absent="", hint=""))


def test_analytics_goes_through_the_windows(tmp_path):
    """t shows the next window."""

    async def press(screen):
        await screen.press("3")
        assert "[60m]" in screen.frame()
        await screen.press("t")
        await screen.until_shown("[today]")
        assert screen.source.asked == [("window", "today")]

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_a_setting_is_changed_after_its_diff_was_seen(tmp_path):
    """Enter asks for the value, then shows the diff; only y saves."""

    async def press(screen):
        await screen.press("6", "slash", *"idle", "enter", "enter")
        await screen.press(*["backspace"] * 4, *"2m", "enter")
        await screen.until_shown('+ timeouts.idle = "2m"')
        assert '- timeouts.idle = "120s"' in screen.frame()
        await screen.press("escape")
        assert screen.source.asked == [("plan", "timeouts.idle", "2m")]
        await screen.press("d")
        await screen.until_shown("y saves it")
        await screen.press("y")
        await screen.until_shown("Saved timeouts.idle.")
        assert screen.source.asked[-2:] == [("plan", "timeouts.idle", None), ("save", "timeouts.idle", None)]

    drive(press, STATES["empty"](make_home(tmp_path), 80))


def test_the_page_is_opened(tmp_path):
    """u opens it in the browser, from any pane; where there is none its address is shown, and y copies just that."""

    async def press(screen):
        await screen.press("6", "u")
        await screen.until_shown("The page opens in your browser.")
        screen.source.opened = (["Open this address within 60 s."], "http://localhost:3456/ui/#code")
        await screen.press("3", "u")
        await screen.until_shown("http://localhost:3456/ui/#code")
        assert "within 60 s" in screen.frame()
        await screen.press("y")
        assert screen.app.clipboard == "http://localhost:3456/ui/#code"
        assert screen.source.asked == [("page",), ("page",)]

    drive(press, STATES["empty"](make_home(tmp_path), 80))


def test_a_new_key_is_set(tmp_path):
    """n asks for the key and its value; without a value it asks on."""

    async def press(screen):
        await screen.press("6", "n", *"aliases.fast", "enter")
        assert "A key and a value" in screen.frame()
        await screen.press("space", *"groq:x", "enter")
        await screen.until_shown('+ aliases.fast = "groq:x"')
        assert screen.source.asked == [("plan", "aliases.fast", "groq:x")]

    drive(press, STATES["empty"](make_home(tmp_path), 80))


def test_the_oldest_request_reads_on(tmp_path):
    """On the last line older ones are asked for, once at a time; not in the middle."""
    requests = tuple(make_request(number) for number in range(50))

    async def press(screen):
        await screen.press("2", "j", "j")
        assert screen.source.asked == []
        await screen.press("G")
        await screen.until(lambda: screen.source.asked == [("older",)])
        older = tuple(make_request(number) for number in range(80))
        await screen.show(screen.source.picture._replace(requests=older))
        assert screen.app.pane.chosen.id == requests[-1].id

    drive(press, STATES["empty"](make_home(tmp_path), 80)._replace(requests=requests))


def test_a_running_request_is_described(tmp_path):
    """Enter shows what is known of it; w says that it runs."""

    async def press(screen):
        await screen.press("2", "j", "enter")
        assert "about 1,204 so far" in screen.frame()
        await screen.press("escape", "w")
        assert "It runs" in screen.frame()

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_only_what_changed_is_drawn(tmp_path):
    """The same picture again draws no line; a running request that grew draws its own alone."""
    home = make_home(tmp_path)
    picture = STATES["busy"](home, 80)

    async def press(screen):
        await screen.press("2")
        pane, drawn = screen.app.pane, []
        draw, pane.render_line = pane.render_line, lambda y: (drawn.append(y), draw(y))[1]
        await screen.show(picture._replace(time=picture.time + 0.5))
        assert drawn == []
        status = msgspec.structs.replace(picture.proxies[0])
        status.running = [
            msgspec.structs.replace(one, tokens=None if one.tokens is None else one.tokens + 7)
            for one in status.running
        ]
        await screen.show(picture._replace(proxies=(status,)))
        assert drawn == [3]

    drive(press, picture)


def test_details_of_accounts_and_backends(tmp_path):
    """Enter shows all limits of an account, and the models of a backend."""

    async def press(screen):
        await screen.press("4", "enter")
        frame = screen.frame()
        assert "5h   82 % in use, new at 19:40" in frame
        assert "7d   9 % in use" in frame
        await screen.press("5", "enter")
        assert "claude-opus-5" in screen.frame()
        await screen.press("escape", "G", "enter")
        assert "fairlead backend enable groq" in screen.frame()

    drive(press, STATES["busy"](make_home(tmp_path), 80))


def test_ten_thousand_requests(tmp_path):
    """The ends are a key away, and a filter looks at all of them."""
    requests = tuple(make_request(number, client=f"tool{number}") for number in range(KEPT))
    picture = STATES["empty"](make_home(tmp_path), 80)._replace(requests=requests)

    async def press(screen):
        await screen.press("2", "G")
        assert screen.app.pane.chosen.id == requests[-1].id
        assert "10,000 ended" in screen.frame()
        await screen.press("slash", *"client:tool9999", "enter")
        assert "1 of 10,000 ended" in screen.frame()

    drive(press, picture)


def test_a_defect_ends_it_without_values(tmp_path, capsys):
    """A source that fails ends the program, which keeps the error; no traceback with values is printed."""

    async def press(screen):
        def fail(width):
            raise ZeroDivisionError("a defect")

        screen.source.look = fail
        await screen.until(lambda: screen.app.failure is not None)
        assert isinstance(screen.app.failure, ZeroDivisionError)

    drive(press, STATES["empty"](make_home(tmp_path), 80))
    assert "Traceback" not in "".join(capsys.readouterr())


def test_a_defect_of_a_pane_ends_it_without_values(tmp_path, capsys):
    """So does one in what draws."""

    async def press(screen):
        def fail(picture):
            secret = "sk-hidden"
            raise ZeroDivisionError(f"a defect {len(secret)}")

        screen.app.pane.draw = fail
        screen.source.picture = STATES["busy"](make_home(tmp_path), 80)
        await screen.until(lambda: screen.app.failure is not None)

    with pytest.raises(ZeroDivisionError):
        drive(press, STATES["empty"](make_home(tmp_path), 80))
    assert "sk-hidden" not in "".join(capsys.readouterr())


def test_keys_that_are_typed_at_once(tmp_path):
    """What follows a key that asks goes into the answer, however fast it comes."""

    async def press(screen):
        await screen.press("6")
        for key in "/idle":
            screen.app.post_message(events.Key("slash" if key == "/" else key, key))
        await screen.until_shown("\nidle")
        screen.app.post_message(events.Key("enter", None))
        await screen.until_shown("/ idle")
        # What is typed takes the place of the value that is asked for, from its first letter on.
        for key in ("enter", "backspace", *"20m", "enter"):
            screen.app.post_message(events.Key(key, key if len(key) == 1 else None))
        await screen.until_shown('+ timeouts.idle = "20m"')

    drive(press, STATES["empty"](make_home(tmp_path), 80))
