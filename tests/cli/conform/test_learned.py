"""A limit that an error told to `fairlead conform` is what the proxies of the home know of the model."""

from router.store.database.writer import Ledger
from router.store.home.home import open_home
from router.store.shared.learned_limits import SqliteLearnedLimits


def read_learned(fairlead, model):
    """What a proxy that starts now knows."""
    ledger = Ledger(open_home({"FAIRLEAD_HOME": str(fairlead.home)}), print)
    limits = SqliteLearnedLimits(ledger)
    ledger.start()
    assert ledger.flush()
    found = limits.learned("box", model)
    ledger.close()
    return found


def test_a_limit_is_learned(fairlead, add, served):
    """By the probe that is named for it, within the budget."""
    add(served)
    fairlead("config", "set", "prices.demo-full.input", "0.01")
    fairlead("config", "set", "prices.demo-full.output", "0.01")
    done = fairlead("conform", "box", "--model", "demo-full", "--probes", "limits")
    assert done.code == 0, done.err
    assert "Learned: box:demo-full takes 65,536 tokens." in done.err
    assert read_learned(fairlead, "demo-full").window == 65_536


def test_nothing_is_sent_beyond_the_budget(fairlead, add, served):
    """A request that could cost more is not sent, and nothing is learned."""
    add(served)
    fairlead("config", "set", "prices.demo-full.input", "5")
    fairlead("config", "set", "prices.demo-full.output", "5")
    done = fairlead("conform", "box", "--model", "demo-full", "--probes", "limits")
    assert done.code == 1
    assert "budget" in done.out
    assert read_learned(fairlead, "demo-full") is None
