"""The benchmark runs and its tables are whole; no figure is asserted, since machines differ."""

import json
import socketserver
import subprocess
import sys
import threading
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE.parent.parent / "packaging" / "reference" / "speed.md"
sys.path.insert(0, str(HERE))

import blast  # noqa: E402 - the modules of a program that is run as a folder
import bodies  # noqa: E402
import goals  # noqa: E402
import instructions  # noqa: E402
import load  # noqa: E402
import nginx  # noqa: E402
import programs  # noqa: E402
import pursuit  # noqa: E402
import rounds  # noqa: E402
from goals import Goal, GoalRow  # noqa: E402

SMALL = bodies.small(bodies.behave("plain"))


@pytest.fixture
def site(tmp_path: Path):
    found = programs.Site(tmp_path, programs.free_port())
    with programs.upstream(found):
        yield found


@pytest.mark.slow
def test_a_quick_run_fills_every_row(tmp_path: Path) -> None:
    """The floor alone: no row is empty but those of routing and `--version`, which the floor does not have."""
    out = tmp_path / "bench.json"
    command = [sys.executable, str(HERE), "--quick", "--against", "none", "--json", str(out)]
    table = subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout
    rows = json.loads(out.read_text())["rows"]
    assert [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]] == [row["name"] for row in rows]
    assert [row["name"] for row in rows if not row["floor"]] == [
        "routing decision, 2,000 models, 20 rules",
        "building that routing table",
        "`--version`",
    ]


@pytest.mark.slow
def test_a_quick_run_has_a_figure_for_each_goal(tmp_path: Path) -> None:
    """Whatever the machine is like, each goal is a row, and says whether it is reached."""
    out = tmp_path / "bench.json"
    subprocess.run(
        [sys.executable, str(HERE), "--quick", "--goals", "--json", str(out)], check=True, capture_output=True
    )
    rows = [row for row in json.loads(out.read_text())["goals"] if row["goal"]]
    assert {row["name"] for row in rows if row["reached"] is None} == set()
    assert len({json.dumps(row["goal"]) for row in rows}) == len(goals.GOALS)


def test_each_goal_has_its_row() -> None:
    """No goal is declared that nothing is held against."""
    assert {goal for *_, goal in pursuit.ROWS if goal} == set(goals.GOALS)


def test_a_goal_is_held_against_the_bare_relay_of_the_same_run() -> None:
    """On a machine that is three times as slow the same program reaches the same goals."""
    for slow in (1, 3):
        time = GoalRow(
            name="t", unit="ms", samples={"floor": [1.0 * slow], "fairlead": [2.0 * slow]}, goal=Goal(4, relay=2)
        )
        rate = GoalRow(
            name="r",
            unit="/s",
            samples={"floor": [90 / slow], "fairlead": [60 / slow]},
            goal=Goal(7, relay=10, more=True),
        )
        assert (time.reached, time.here) == (True, 2.0 * slow)
        assert (rate.reached, rate.missed) == (False, True)


def test_the_table_of_goals_has_a_column_for_each_that_took_part() -> None:
    """Who did not take part has none, and a row without a goal says nothing of one."""
    row = GoalRow(name="memory", unit="MB", samples={"base": [80.0], "fairlead": [50.0, 44.0, 46.0]}, goal=Goal(45))
    other = GoalRow(name="p99", unit="ms", samples={"fairlead": [1.5]})
    assert goals.markdown([row, other]).splitlines() == [
        "| measure | before | fairlead | best | ratio to the bare relay | goal here (as a ratio) | reached |",
        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |",
        "| memory | 80 MB | 46 MB | 44 MB |  | ≤ 45 MB | no |",
        "| p99 | – | 1.5 ms | 1.5 ms |  |  |  |",
    ]


def test_the_page_tells_the_goals_as_they_are() -> None:
    """What the page says of the bare relay elsewhere is what the benchmark reckons with."""
    rows = [line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if "|" in line]
    told = {(row[3].split(" ")[0].removesuffix("/s"), row[4]) for row in rows if len(row) == 5}
    assert {(f"{goal.relay:,}", f"{goal.ratio:.2f}") for goal in goals.GOALS.values() if goal.relay} <= told


def test_the_table_of_instructions_names_the_part_of_the_history() -> None:
    """Of what fairlead executes without its history; the floor may lack a shape."""
    counts = {
        "floor": {"small": 1000.0},
        "fairlead": {"small": 2060.0, "translated": 5250.0},
        "fairlead without": {"small": 2000.0, "translated": 5000.0},
    }
    assert instructions.markdown(counts).splitlines()[2:] == [
        "| small | 1,000 | 2,060 | 2.06 × | 3.0 % |",
        "| translated | – | 5,250 | – | 5.0 % |",
    ]


@pytest.mark.parametrize("compiled", [True, False])
def test_requests_a_second_are_counted(site, monkeypatch, compiled) -> None:
    """By the C program and by Python alike, and only answers that are whole and good."""
    if not compiled:
        monkeypatch.setattr(blast, "build", lambda folder: None)
    elif blast.build(site.folder) is None:
        pytest.skip("no C compiler")
    assert blast.rate(site.folder, site.port, SMALL, 0.2) > 0
    with Failing() as port, pytest.raises(load.LoadError):
        blast.rate(site.folder, port, SMALL, 0.2)


@pytest.mark.skipif(nginx.find() is None, reason="nginx is not installed")
def test_nginx_relays_what_the_upstream_says(site) -> None:
    """It changes no answer, also one to a body that is large."""
    with nginx.nginx(site) as program:
        rounds.warm(program, 0)
        with load.connected(program.port) as (client,):
            client.send(load.request(program.port, bodies.agent(bodies.behave("plain"))))
            assert client.receive() == bodies.ANSWER


class Failing:
    """A server that answers every request with an error."""

    def __enter__(self) -> int:
        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                while self.request.recv(65536):
                    self.request.sendall(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n")

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self._server.server_address[1]

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
