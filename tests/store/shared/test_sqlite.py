"""The store of a home as a proxy opens it, and the state of accounts in memory."""

from router.policy.accounts.pool import Member
from router.settings import Settings
from router.store.shared.sqlite import LocalAccountStates, open_sqlite


def test_opening_makes_nothing(home):
    """Nothing is written before the ledger is started; then the file exists, and the queued rows are in it."""
    store = open_sqlite(home, print, price=lambda entry: (None, ""), settings=Settings)
    store.resource_owners.remember("resp_1", "a", "main", "responses")
    assert not home.at("history.db").exists()
    store.ledger.start()
    assert store.ledger.flush(10)
    assert home.at("history.db").exists()
    assert store.resource_owners.find(["resp_1"])[1].backend == "a"
    store.ledger.close()


def test_account_states():
    """The state of an account belongs to its backend, alias and key; one that is not saved again is forgotten."""
    states, one, two = LocalAccountStates(), Member("main", "k1"), Member("main", "k2")
    states.save({"a": [one], "b": [two]})
    assert states.load("a", "main", "k1") is one
    assert states.load("b", "main", "k1") is None
    assert states.load("b", "main", "k2") is two
    states.save({"b": [two]})
    assert states.load("a", "main", "k1") is None
