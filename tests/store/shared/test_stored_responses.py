"""Translated answers are found again: at once, after a restart, in chains, and within bounds."""

import msgspec
import pytest

from router.store.database.open import open_history
from router.store.database.writer import Ledger
from router.store.history.record import clear
from router.store.home.home import open_home
from router.store.shared import stored_responses as module
from router.store.shared.stored_responses import SqliteStoredResponses

SAID = {"type": "message", "role": "user", "content": "one"}


class Clock:
    now = 1_800_000_000.0

    def __call__(self):
        return self.now


@pytest.fixture
def begun(tmp_path):
    """Makes the stored answers of one home, as a process that starts has them; all are closed at the end."""
    home = open_home({"FAIRLEAD_HOME": str(tmp_path / "home")})
    said, ledgers, clock = [], [], Clock()

    def begin(**options):
        ledgers.append(Ledger(home, said.append))
        found = SqliteStoredResponses(ledgers[-1], clock=clock, **options)
        found.clock = clock
        return found, ledgers[-1]

    yield begin
    for ledger in ledgers:
        ledger.close()
    assert said == []


def message(name, text="so"):
    return {"id": name, "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def test_at_once_and_later(begun):
    """From memory before anything is written; from the file in the next process."""
    kept, ledger = begun()
    kept.store("resp_1", "", [SAID, message("msg_1")], 100)
    wanted = {"resp_1": {"previous": "", "items": [SAID, message("msg_1")]}, "msg_1": message("msg_1")}
    assert kept.find(["resp_1", "msg_1", "resp_2"]) == wanted
    ledger.close()
    again, _ = begun()
    assert again.find(["resp_1", "msg_1", "resp_2"]) == wanted


def test_a_chain(begun):
    """An answer comes with all those before it, and a loop ends."""
    kept, _ = begun()
    for at in (1, 2, 3):
        kept.store(f"resp_{at}", f"resp_{at - 1}", [message(f"msg_{at}")], 100)
    assert set(kept.find(["resp_3"])) == {"resp_1", "resp_2", "resp_3"}
    kept.store("resp_1", "resp_3", [], 10)
    assert set(kept.find(["resp_3"])) == {"resp_1", "resp_2", "resp_3"}


def test_memory_is_bounded(begun, monkeypatch):
    """The oldest leave memory and are still in the file."""
    monkeypatch.setattr(module, "MEMORY_BYTES", 20_000)
    kept, ledger = begun()
    ledger.start()
    for at in range(50):
        kept.store(f"resp_{at}", "", [message(f"msg_{at}", "x" * 1000)], 1100)
    assert sum(size for _, size in kept._latest.values()) <= 20_000
    assert "resp_0" not in kept._latest
    ledger.close()
    again, _ = begun()
    assert len(again.find([f"resp_{at}" for at in range(50)])) == 50


def test_what_is_too_large_is_not_kept(begun, monkeypatch):
    """An answer that is too large would push out all others."""
    monkeypatch.setattr(module, "ENTRY_LIMIT", 1000)
    kept, _ = begun()
    kept.store("resp_1", "", [message("msg_1", "x" * 2000)], 2100)
    assert kept.find(["resp_1", "msg_1"]) == {}


def test_half_a_pair_of_surrogates(begun):
    """An entry that cannot be encoded is not in the file, and the others are."""
    kept, ledger = begun()
    kept.store("resp_1", "", [message("msg_1", "\ud83d")], 100)
    kept.store("resp_2", "", [SAID], 100)
    ledger.start()
    ledger.close()
    again, _ = begun()
    assert set(again.find(["resp_1", "resp_2"])) == {"resp_2"}


def test_the_file_is_bounded(begun):
    """The oldest go first, by bytes and by age."""
    kept, ledger = begun(max_bytes=30_000)
    for at in range(60):
        kept.clock.now += 1
        kept.store(f"resp_{at}", "", [message(f"msg_{at}", "x" * 1000)], 1100)
    ledger.close()
    _, ledger = begun(max_bytes=30_000)
    ledger.start()
    ledger.close()
    last, _ = begun(max_bytes=30_000)
    found = last.find([f"resp_{at}" for at in range(60)])
    assert 10 < len(found) < 40
    assert "resp_59" in found
    assert "resp_0" not in found


def test_what_is_old_is_forgotten(begun):
    """After thirty days."""
    kept, ledger = begun()
    kept.store("resp_1", "", [SAID], 100)
    ledger.close()
    kept.clock.now += module.MAX_AGE_SECONDS + 1
    _, ledger = begun()
    ledger.start()
    ledger.close()
    last, _ = begun()
    assert last.find(["resp_1"]) == {}


ABOUT = {"inputs": 1, "response": {"id": "resp_1", "status": "completed"}}


def test_what_an_answer_is_shown_by(begun):
    """The response object is stored beside the items; an entry without it is read as it always was."""
    kept, ledger = begun()
    kept.store("resp_1", "", [SAID, message("msg_1")], 100, ABOUT)
    kept.store("resp_2", "resp_1", [SAID], 100)
    wanted = {"previous": "", "items": [SAID, message("msg_1")], **ABOUT}
    for _ in range(2):
        assert kept.read("resp_1") == wanted
        assert kept.read("resp_2") == {"previous": "resp_1", "items": [SAID]}
        assert kept.read("resp_3") is kept.read("msg_1") is None
        ledger.close()
        kept, ledger = begun()


def test_a_deleted_answer_is_not_found(begun):
    """Nor are its items, at once and in the next process; its id is known as that of a deleted one."""
    kept, ledger = begun()
    for name in ("resp_1", "resp_2"):
        kept.store(name, "", [message(f"msg_of_{name}")], 100, ABOUT)
    kept.delete("resp_1")
    for _ in range(2):
        assert set(kept.find(["resp_1", "msg_of_resp_1", "resp_2", "msg_of_resp_2"])) == {"resp_2", "msg_of_resp_2"}
        assert kept.read("resp_1") == {}
        assert kept.read("resp_2") == {"previous": "", "items": [message("msg_of_resp_2")], **ABOUT}
        ledger.close()
        kept, ledger = begun()


def test_a_deletion_is_safe_for_earlier_versions(begun):
    """They read what stands in the place of a deleted answer as an item that is not stored, and go on."""
    kept, ledger = begun()
    kept.store("resp_1", "", [SAID], 100, ABOUT)
    kept.delete("resp_1")
    ledger.start()
    assert ledger.flush()
    [[body]] = ledger.read("SELECT body FROM kept WHERE id = 'resp_1'")
    entry = msgspec.json.decode(body)
    assert isinstance(entry["answer"], str)
    assert ledger.read("SELECT body FROM kept WHERE id = ?", (entry["answer"],)) == []


def test_a_deletion_by_another_process(begun):
    """An answer in the memory of one process is gone once another has deleted it."""
    kept, ledger = begun()
    kept.store("resp_1", "", [SAID], 100, ABOUT)
    ledger.start()
    assert ledger.flush()
    other, others = begun()
    others.start()
    other.delete("resp_1")
    assert others.flush()
    assert kept.read("resp_1") == {}


def test_what_another_process_erased_leaves_memory(begun):
    """An erasure by any process holds at once for answers that others have in memory: they are neither continued nor
    shown; what comes after it is kept as before."""
    first, first_ledger = begun()
    first_ledger.start()
    told = []
    first.on_erased(lambda: told.append("erased"))
    first.store("resp_1", "", [SAID, message("msg_1")], 100)
    assert first_ledger.flush()
    db, _ = open_history(first_ledger._home)
    clear(db)
    db.close()
    assert first.find(["resp_1", "msg_1"]) == {}
    assert first.read("resp_1") is None
    assert told == ["erased"]
    assert first._bytes == len(first._latest) == 0
    first.store("resp_2", "", [SAID], 100)
    assert first_ledger.flush()
    assert set(first.find(["resp_2", "resp_1"])) == {"resp_2"}
    assert told == ["erased"]


def test_an_erasure_before_the_start_or_its_marks_end_erases_nothing(begun):
    """A process begins with the file as it is, and the mark may be deleted with the oldest answers."""
    _, ledger = begun()
    ledger.start()
    assert ledger.flush()
    db, _ = open_history(ledger._home)
    clear(db)
    again, second = begun()
    second.start()
    told = []
    again.on_erased(lambda: told.append("erased"))
    again.store("resp_1", "", [SAID], 100)
    assert second.flush()
    db.execute("DELETE FROM kept WHERE id = '(erased)'")
    db.commit()
    db.close()
    assert set(again.find(["resp_1"])) == {"resp_1"}
    assert told == []


def test_an_idle_process_notices_an_erasure_by_itself(begun):
    """The writer's maintenance looks for it, so that memory is emptied without a request."""
    first, ledger = begun()
    ledger.start()
    first.store("resp_1", "", [SAID], 100)
    assert ledger.flush()
    db, _ = open_history(ledger._home)
    clear(db)
    db.close()
    # The second flush begins after the maintenance that followed the first.
    assert ledger.flush()
    assert ledger.flush()
    assert not first._latest
