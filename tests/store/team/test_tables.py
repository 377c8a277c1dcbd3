"""Tables that all proxies of a team have a copy of, on a real server."""

import pytest

from router.store.team.client import Unreachable
from router.store.team.state import tables as module
from router.store.team.state.tables import ACCOUNTS, FORMS, SESSIONS, TableForm

from .servers import Server
from .teams import connect, tables_of


class Process:
    """The copies of one process; its exchanges are called by the test."""

    def __init__(self, server):
        self.team = connect(server)
        self.tables = tables_of(self.team)
        self.rows, self.own = {}, {}
        self.tables.subscribe(ACCOUNTS, self.rows.update, self._restate)
        # Nothing runs by itself.
        self.team.thread.submit = lambda job: None

    def put(self, name, value, form=ACCOUNTS):
        if form is ACCOUNTS:
            self.own[name] = value
        self.tables.put(form, name, value)

    def _restate(self):
        for name, value in self.own.items():
            self.tables.put(ACCOUNTS, name, value)


@pytest.fixture
def pair(tmp_path):
    """A server, and two processes."""
    with Server(tmp_path) as server:
        found = [Process(server) for _ in range(2)]
        yield server, *found
        for one in found:
            one.team.client.close()


def test_the_later_row_counts(pair):
    """Each process has what the other wrote, its own rows too; of two of one id the later one."""
    _, one, two = pair
    one.put("a", b"1")
    two.put("a", b"2")
    two.put("b", b"\xff\x00")
    for process in (one, two, one):
        process.tables.exchange()
    assert one.rows == two.rows == {"a": b"2", "b": b"\xff\x00"}
    assert (one.tables.complete, two.tables.complete) == (True, True)


def test_many_rows_are_read_in_pieces(pair):
    """More rows than fit in one answer or one write arrive, and each only once."""
    _, one, two = pair
    expected = {f"r{at}": b"%d" % at for at in range(1700)}
    for name, value in expected.items():
        one.put(name, value)
    one.tables.exchange()
    two.tables.exchange()
    assert two.rows == expected
    two.rows.clear()
    two.tables.exchange()
    assert two.rows == {}


def test_a_table_is_bounded(pair, monkeypatch):
    """The oldest rows go once there are more than the table has room for; other tables keep theirs."""
    server, one, two = pair
    monkeypatch.setattr(module, "FORMS", (TableForm("accounts", 10), *FORMS[1:]))
    for at in range(25):
        one.tables._waiting[0, f"r{at}"] = b"x"
    one.put("s", b"y", SESSIONS)
    one.tables.exchange()
    assert server.command("HLEN", "fl:{team}:rows:accounts") == ":10"
    assert server.command("ZCARD", "fl:{team}:order:accounts") == ":10"
    assert server.command("HLEN", "fl:{team}:rows:sessions") == ":1"
    two.tables.exchange()
    assert set(two.rows) == {f"r{at}" for at in range(15, 25)}


@pytest.mark.parametrize("how", ["flushed", "restarted"])
def test_a_server_that_lost_its_data_gets_it_again(pair, how):
    """After a flush, or a restart without a file, each process writes again what it knows, and reads what others do."""
    server, one, two = pair
    one.put("a", b"1")
    two.put("b", b"2")
    for process in (one, two, one):
        process.tables.exchange()
    if how == "flushed":
        server.command("FLUSHALL")
    else:
        server.kill()
        server.start()
    one.rows.clear()
    two.rows.clear()
    for process in (one, two, one):
        for _ in range(3):
            try:
                process.tables.exchange()
            except Unreachable:
                continue  # a connection that the restart has ended
    assert one.rows == two.rows == {"a": b"1", "b": b"2"}


def test_what_could_not_be_written_waits(pair):
    """Rows stay while the server is gone; what was put meanwhile takes the place of the older one."""
    server, one, two = pair
    one.tables.exchange()
    server.kill()
    one.put("a", b"1")
    with pytest.raises(Unreachable):
        one.tables.exchange()
    one.put("a", b"2")
    server.start()
    one.tables.exchange()
    two.tables.exchange()
    assert two.rows == {"a": b"2"}


def test_nothing_new_is_one_command(pair):
    """A process that knows all asks one question, which the server answers without a script."""
    server, one, _ = pair
    one.put("a", b"1")
    one.tables.exchange()
    one.tables.exchange()
    before = int(server.read_info("stats", "total_commands_processed"))
    for _ in range(10):
        one.tables.exchange()
    assert int(server.read_info("stats", "total_commands_processed")) - before == 11
