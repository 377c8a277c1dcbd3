"""Shows what would change in a file, without keys: a terminal and a log keep what they show."""

import difflib
from collections.abc import Iterable
from itertools import islice

from router.redaction import KEYS
from router.setup.plan import FilePlan
from router.store.home.permissions import shown

MASK = "***"


def format_diff(plan: FilePlan, secrets: Iterable[str], *, limit: int | None = None) -> list[str]:
    """The lines that go (-) and come (+), below the file's name. limit: of lines, None for any number."""
    before = plan.file.text.splitlines()
    after = (plan.after or "").splitlines()
    lines = [
        f"  {line[0]} {_mask(line[1:], secrets)}"
        # Behind the two lines of the header.
        for line in islice(difflib.unified_diff(before, after, lineterm="", n=0), 2, None)
        if line[0] in "+-"
    ]
    if limit is not None and len(lines) > limit:
        lines[limit:] = [f"    and {len(lines) - limit} more lines (--print shows all)"]
    if plan.mode != plan.file.mode and plan.file.data is not None:
        lines.append(f"    mode {plan.file.mode:04o} becomes {plan.mode:04o}")
    return [f"{shown(plan.file.path)}{_describe(plan)}", *lines]


def _describe(plan: FilePlan) -> str:
    if plan.after is None:
        return "  (removed)"
    return "  (new)" if plan.file.data is None else ""


def _mask(line: str, secrets: Iterable[str]) -> str:
    for secret in secrets:
        if secret:
            line = line.replace(secret, MASK)
    return KEYS.sub(MASK, line)
