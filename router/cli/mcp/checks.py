"""What `fairlead doctor` finds, without the requests that it can spend."""

from collections.abc import Mapping
from pathlib import Path

from router.cli.doctor.redaction import redact
from router.cli.doctor.row import Row, count
from router.cli.doctor.runner import run_checks
from router.cli.doctor.situation import look_around
from router.cli.doctor.table import list_checks
from router.host.event_loop import run_async
from router.mcp import answers, inputs
from router.mcp.answers import Quoted

# No text of a check has it.
_BETWEEN = "\x1e"
_WORST = ("fail", "warn", "info")


def check(environ: Mapping[str, str], asked: inputs.Doctor) -> answers.Checks:
    """Run the checks of the home that `environ` names: they tell what keeps it from being read."""
    rows = run_async(_examine, environ, asked.offline)
    worst = sorted((row for row in rows if row.status in _WORST), key=lambda row: _WORST.index(row.status))
    return answers.Checks(
        checks=[
            answers.Check(name=row.id, state=row.status, text=Quoted(row.text), user_step=row.fix) for row in worst
        ],
        fails=count(rows, "fail"),
        warnings=count(rows, "warn"),
        right=count(rows, "ok"),
    )


async def _examine(environ: Mapping[str, str], offline: bool) -> list[Row]:
    """What the checks found, without secrets."""
    situation = await look_around(dict(environ), Path.cwd(), offline=offline, probe=False)
    rows = await run_checks(list_checks(situation), situation)
    # In one piece, as all secrets are read for it.
    texts = redact(_BETWEEN.join(part for row in rows for part in (row.text, row.fix)), situation).split(_BETWEEN)
    if len(texts) != 2 * len(rows):
        # It was too long to be searched.
        texts = ["not shown: it cannot be searched for secrets", ""] * len(rows)
    return [row._replace(text=text, fix=fix) for row, text, fix in zip(rows, texts[::2], texts[1::2], strict=True)]
