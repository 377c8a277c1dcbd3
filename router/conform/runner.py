"""Runs probes one after the other, and makes a row of each, also of one that cannot tell."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from router.conform.bench import Bench, Stopped
from router.conform.evidence import Evidence
from router.conform.probe import Probe
from router.conform.record import Finding, OverBudget, Row, Unknown

Findings = dict[str, Finding]


async def run_probes(
    bench: Bench,
    probes: Sequence[Probe],
    evidence: Evidence,
    note: Callable[[Probe, Row | None], None] = lambda probe, row: None,
) -> tuple[list[Row], Findings]:
    """The rows of the probes, in their order, and what each found. note: called before each with None, and after it
    with its row."""
    rows: list[Row] = []
    findings: Findings = {}
    stop = ""
    for probe in probes:
        note(probe, None)
        before = bench.budget.requests
        bench.last = None
        if stop:
            found = Finding("unknown", stop)
        else:
            try:
                found = await probe.run(bench)
            except (OverBudget, Stopped) as error:
                stop = str(error)
                found = Finding("unknown", stop)
            except Unknown as error:
                found = Finding("unknown", str(error))
        findings[probe.id] = found
        rows.append(_make_row(probe, found, bench, evidence, bench.budget.requests - before))
        note(probe, rows[-1])
    return rows, findings


def _make_row(probe: Probe, found: Finding, bench: Bench, evidence: Evidence, requests: int) -> Row:
    last = bench.last
    said = found.evidence or (last.describe() if last is not None else "")
    return Row(
        id=probe.id,
        verdict=found.verdict,
        evidence=evidence.cut(said),
        status=last.status or None if last is not None else None,
        requests=requests,
        date=format_now(),
    )


def format_now() -> str:
    """This second in UTC, RFC 3339."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
