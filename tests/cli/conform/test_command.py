"""`fairlead conform`: what it prints and writes, what it takes over, and where it refuses."""

import json
import re
import signal
import subprocess
import sys
import threading

import pytest

from router.conform.record import Row

from ...local_servers import listening, stay_silent
from ...net.peers import scripted
from ...patience import PATIENCE
from ..conftest import Command
from .conftest import KEY


def read_card(fairlead, name):
    """The card's file."""
    return json.loads((fairlead.home / "cards" / f"{name}.json").read_text())


def test_the_demo(fairlead):
    """The built-in backend needs no key and no network: its card is all yes, and is shown again without a request."""
    done = fairlead("conform", "demo")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith("demo   demo-full   ")
    assert done.out.splitlines()[-1].startswith(f"{len(read_card(fairlead, 'demo@demo-full')['probes'])} yes   (")
    again = fairlead("conform", "demo", "--show")
    assert again.code == 0
    assert again.out.splitlines()[1:] == done.out.splitlines()[1:]


def test_a_card_in_the_home(fairlead, add, served):
    """It holds what was run, with its cost; JSON is the same; a later run of others adds to it."""
    add(served)
    done = fairlead("conform", "box", "--model", "demo-full", "--probes", "roles.developer,money", "--json")
    card = read_card(fairlead, "box@demo-full")
    assert json.loads(done.out) == card
    assert {"schema", "fairlead", "date", "backend", "model", "probes", "profile_diff"} <= set(card)
    assert [row["id"] for row in card["probes"]] == ["money.usage", "money.price", "roles.developer"]
    assert set(card["probes"][0]) == set(Row.__struct_fields__)
    fairlead("conform", "box", "--model", "demo-full", "--probes", "reach.models")
    assert read_card(fairlead, "box@demo-full")["probes"][0]["id"] == "reach.models"
    assert len(read_card(fairlead, "box@demo-full")["probes"]) == 4


def test_differences_are_taken_over(fairlead, add, served):
    """What the profile lacks is shown, and --apply writes it to config.toml; then nothing is lacking."""
    add(served)
    words = ("conform", "box", "--model", "demo-full", "--probes", "input.pdf")
    shown = fairlead(*words)
    assert "  files              off -> on   input.pdf\n" in shown.out
    assert not (fairlead.home / "config.toml").exists()
    applied = fairlead("conform", "box", "--show", "--apply")
    assert applied.code == 0, applied.err
    assert "Written to [backends.box.profile] of config.toml." in applied.out
    assert fairlead("config", "get", "backends.box.profile.files").out == "on\n"
    assert "off -> on" not in fairlead("conform", "box", "--show").out
    assert "off -> on" not in fairlead(*words).out
    assert "nothing was written" in fairlead("conform", "box", "--show", "--apply").out


def test_a_model_behind_the_backend(fairlead, add, served):
    """BACKEND:MODEL is taken, as elsewhere; both forms at once are told."""
    add(served)
    done = fairlead("conform", "box:demo-full", "--probes", "protocols.chat")
    assert done.out.startswith("box   demo-full   2 requests, ")
    assert "both name a model" in fairlead("conform", "box:demo", "--model", "demo").err


def test_markdown(fairlead, add, served):
    """A table for an issue, with no URL in it."""
    add(served)
    done = fairlead("conform", "box", "--model", "demo-full", "--probes", "reach", "--markdown")
    assert done.out.startswith("### box: demo-full\n")
    assert "| reach.models | its list of models has the model | yes | " in done.out
    assert "127.0.0.1" not in done.out


def test_a_run_ends_at_its_budget(fairlead, add, served):
    """With a price that a few requests use up, the rest is unknown, and the cost is within the budget."""
    add(served)
    for field in ("input", "output"):
        fairlead("config", "set", f"prices.demo-full.{field}", "100")
    done = fairlead("conform", "box", "--model", "demo-full", "--budget", "0.02", "--json")
    card = json.loads(done.out)
    assert 0 < card["cost"] <= 0.02
    last = [row for row in card["probes"] if row["verdict"] == "unknown"]
    assert {row["evidence"] for row in last} == {"budget: $0.02 would be passed"}
    assert {row["requests"] for row in last[1:]} == {0}
    assert card["probes"][0]["verdict"] == "yes"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--probes", "strem"), "there is no probe strem.\n       Did you mean stream?"),
        (("--probes", ","), "--probes names none."),
        (("--budget", "much"), "--budget much is no amount"),
        (("--budget", "nan"), "--budget nan is no amount"),
        (("--json", "--markdown"), "--json and --markdown cannot be used together."),
        (("--json", "--apply"), "--apply shows what it writes"),
        (("--model", " "), "the model has no name."),
        ((), "there is no backend named box"),
        (("--show",), "there is no backend named box"),
    ],
)
def test_wrong_usage(fairlead, words, said):
    """Each mistake is told before anything is sent, with what to do."""
    done = fairlead("conform", "box", *words)
    assert done.code in (1, 2)
    assert said in done.err


def test_nothing_to_show(fairlead, add, served):
    """A backend without a card is told how to get one."""
    add(served)
    done = fairlead("conform", "box", "--show")
    assert (done.code, done.out) == (1, "")
    assert "there is no card of box.\n       Make one:   fairlead conform box" in done.err


def test_a_web_page_is_no_backend(fairlead, add):
    """A server that answers everything with a page is told as such in a row each, without a traceback."""
    with scripted() as peer:
        page = (200, {"content-type": "text/html"}, b"<html><title>Welcome</title></html>")
        for path in ("/v1/models", "/v1/messages", "/v1/chat/completions", "/v1/responses"):
            peer.answers[path] = page
        add(peer.root)
        peer.seen.clear()
        done = fairlead("conform", "box", "--model", "m", "--probes", "protocols,reach.models")
    assert done.err == ""
    assert "a web page, not an API's answer" in done.out
    assert "yes" not in done.out.splitlines()[-1].partition("(")[0]
    assert {path for _, path, _, _ in peer.seen} <= {
        *("/v1/models", "/v1/messages", "/v1/chat/completions", "/v1/responses", "/v1/messages/count_tokens"),
        *("/v1/responses/input_tokens", "/v1/embeddings"),
        *("/v1/models/m:generateContent", "/v1/models/m:countTokens"),
    }


def test_no_key_is_printed(fairlead, add):
    """A backend that repeats its key gets it into no output and no file."""
    with scripted() as peer:
        peer.answers["/v1/chat/completions"] = lambda headers: (400, {}, json.dumps({"error": headers}).encode())
        add(peer.root, "chat")
        done = fairlead("conform", "box", "--model", "m", "--probes", "protocols.chat,roles.developer")
    assert KEY not in done.out + done.err
    assert KEY not in (fairlead.home / "cards" / "box@m.json").read_text()


@pytest.mark.skipif(sys.platform == "win32", reason="no signal can be sent to one process alone")
def test_an_interrupted_run_writes_no_card(tmp_path):
    """Ctrl-C ends a run at once; it says what was sent, and no card is written."""
    fairlead = Command(tmp_path)
    fairlead.forks = False
    asked = threading.Event()

    def hang(connection):
        connection.recv(65536)
        asked.set()
        stay_silent(connection)

    with listening(hang) as port:
        fairlead(
            "backend", "add", "box", "--base-url", f"http://127.0.0.1:{port}/v1", "--protocols", "chat", "--no-key"
        )
        asked.clear()
        with subprocess.Popen(
            fairlead._line(("conform", "box", "--model", "m")),
            env=fairlead.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert asked.wait(PATIENCE)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130
    assert out == ""
    assert err == "Interrupted: 1 request; no card was written.\n"
    assert not (fairlead.home / "cards").exists()


def test_rows_with_one_reason_are_one_line(fairlead, add, served):
    """What a budget left out does not fill the screen; what was found is told with what was asked."""
    add(served)
    for field in ("input", "output"):
        fairlead("config", "set", f"prices.demo.{field}", "100")
    done = fairlead("conform", "box", "--model", "demo", "--budget", "0.02")
    [line] = [line for line in done.out.splitlines() if line.startswith("  ? ")]
    assert re.fullmatch(r"  \? \d\d probes +budget: \$0\.02 would be passed", line)
    fewer = fairlead("conform", "box", "--model", "demo", "--probes", "output.choices")
    assert "  ~ output.choices         several choices can be asked for   asked for 2 choices, 1 came\n" in fewer.out
