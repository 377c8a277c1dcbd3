"""The account that issued an id is known at once, after a restart from the file, and within bounds."""

import pytest

from router.store.database.writer import Ledger
from router.store.home.home import open_home
from router.store.shared import resource_owners as module
from router.store.shared.resource_owners import BYTES, ENTRIES, MAX_AGE_SECONDS, SqliteResourceOwners

DAY = 86_400


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def begun(tmp_path, clock):
    """Makes the owners of one home, as a process that starts has them; all are closed at the end."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    said, ledgers = [], []

    def begin(**options):
        ledgers.append(Ledger(home, said.append))
        return SqliteResourceOwners(ledgers[-1], clock=clock, **options), ledgers[-1]

    yield begin
    for ledger in ledgers:
        ledger.close()
    assert said == []


def test_at_once_and_later(begun, clock):
    """In memory before anything is written; from the file in the next process."""
    owners, ledger = begun()
    owners.remember("resp_1", "a", "main", "responses")
    name, owner = owners.known(["other", "resp_1"])
    assert (name, owner.backend, owner.account, owner.kind, owner.used) == (
        "resp_1",
        "a",
        "main",
        "responses",
        clock.now,
    )
    ledger.close()
    owners, _ = begun()
    assert owners.known(["resp_1"]) is None
    assert owners.find(["other", "resp_1"]) == ("resp_1", owner)
    assert owners.find(["other"]) is None


def test_the_first_named_decides(begun):
    """Of several ids the first that is known, in the order they were named."""
    owners, ledger = begun()
    for name, backend in (("x", "a"), ("y", "b")):
        owners.remember(name, backend, "main", "files")
    assert owners.known(["z", "y", "x"])[1].backend == "b"
    ledger.close()
    assert begun()[0].find(["z", "y", "x"])[1].backend == "b"


def test_the_latest_issuer(begun):
    """An id that comes again from elsewhere has moved."""
    owners, ledger = begun()
    owners.remember("x", "a", "main", "files")
    owners.remember("x", "b", "spare", "files")
    assert owners.known(["x"])[1][:2] == ("b", "spare")
    ledger.close()
    assert begun()[0].find(["x"])[1][:2] == ("b", "spare")


@pytest.mark.parametrize("name", ["", "x" * 257, "a\nb", "ü", "a\x00"])
def test_no_ids(begun, name):
    """What is empty, long or no plain text is not remembered."""
    owners, _ = begun()
    owners.remember(name, "a", "main", "files")
    assert owners.known([name]) is None


def test_asking_again_writes_once_a_day(begun, clock, monkeypatch):
    """A batch that is requested every second is one row; its use is written once a day."""
    owners, ledger = begun()
    written = []
    monkeypatch.setattr(ledger, "add", lambda statement, row: written.append(row))
    for _ in range(100):
        owners.remember("batch_1", "a", "main", "batches")
    clock.now += DAY + 1
    owners.remember("batch_1", "a", "main", "batches")
    assert [row[-2] for row in written] == [int(clock.now) - DAY - 1, int(clock.now)]


def test_memory_is_bounded(begun, monkeypatch):
    """In entries and in bytes; the longest unused go first."""
    owners, ledger = begun()
    monkeypatch.setattr(ledger, "add", lambda statement, row: None)
    for number in range(ENTRIES + 100):
        owners.remember(f"id-{number}", "a", "main", "files")
        owners.remember("id-0", "a", "main", "files")
    assert len(owners._known) == ENTRIES
    assert owners.known(["id-0"])
    assert owners.known(["id-1"]) is None
    for number in range(ENTRIES):
        owners.remember(f"{number:0256}", "b" * 64, "main", "files")
    assert owners._bytes <= BYTES
    assert owners._bytes == sum(module._measure(name, owner) for name, owner in owners._known.items())


def test_the_file_is_bounded(begun, clock):
    """Ids that were not requested in 30 days are deleted, and the oldest of too many."""
    owners, ledger = begun()
    for number in range(20):
        owners.remember(f"old-{number}", "a", "main", "files")
    ledger.close()
    clock.now += MAX_AGE_SECONDS - 10
    owners, ledger = begun()
    for number in range(20):
        clock.now += 1
        owners.remember(f"new-{number}", "a", "main", "files")
    ledger.close()
    _, ledger = begun(max_rows=5)
    ledger.start()
    ledger.close()
    owners, ledger = begun()
    assert owners.find(["old-0"]) is None
    ledger.start()
    found = {row[0] for row in ledger.read("SELECT id FROM owners")}
    assert found == {f"new-{number}" for number in range(15, 20)}


def test_bodies_are_searched_only_for_a_reason(begun):
    """Not while the file has no id of a kind that occurs deep in bodies; at once when one is issued."""
    owners, ledger = begun()
    assert owners.attached  # the file was not searched yet
    owners.find(["x"])
    ledger.close()
    assert not owners.attached
    owners.remember("resp_1", "a", "main", "responses")
    assert not owners.attached
    owners, ledger = begun()
    owners.remember("file-1", "a", "main", "files")
    ledger.close()
    owners, ledger = begun()
    ledger.start()
    ledger.close()
    assert owners.attached
