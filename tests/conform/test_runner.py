"""Running probes: one that cannot tell ends nothing, one that may not go on ends all."""

import trio

from router.conform.bench import Stopped
from router.conform.evidence import Evidence
from router.conform.probe import Probe
from router.conform.record import Finding, OverBudget, Unknown
from router.conform.runner import run_probes

from .benches import make_bench


def run(*probes, note=lambda probe, row: None):
    """Verdict and evidence of each."""
    rows, _ = trio.run(run_probes, make_bench("http://127.0.0.1:1/v1"), probes, Evidence([]), note)
    return [(row.id, row.verdict, row.evidence) for row in rows]


def make_probe(name, result):
    """A probe that gives a finding, or raises."""

    async def judge(bench):
        if isinstance(result, Exception):
            raise result
        return result

    return Probe(name, "it works", judge)


def test_what_cannot_be_told_is_a_row():
    """The next probe runs all the same."""
    assert run(make_probe("a.a", Unknown("it is busy")), make_probe("a.b", Finding("yes", "200"))) == [
        ("a.a", "unknown", "it is busy"),
        ("a.b", "yes", "200"),
    ]


def test_an_end_is_the_end():
    """After the budget, or a backend that is gone, no further probe runs, and each row says why."""
    for error in (OverBudget("budget: spent"), Stopped("gone")):
        found = run(make_probe("a.a", error), make_probe("a.b", Finding("yes", "200")))
        assert found == [("a.a", "unknown", str(error)), ("a.b", "unknown", str(error))]


def test_the_progress_is_told():
    """Before each probe, and after it with its row."""
    seen = []
    run(make_probe("a.a", Finding("no", "x")), note=lambda probe, row: seen.append((probe.id, row and row.verdict)))
    assert seen == [("a.a", None), ("a.a", "no")]
