"""A request that has ended, as one line of `log`: columns of fixed width, since the next line is not known yet."""

import time
from typing import NamedTuple

from router.cli.common.layout import NONE, make_printable
from router.operator_api.status import RunningRequest
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.store.history.read_requests import RecordedRequest
from router.watch import amounts

#: Characters of what is said last: notes and errors.
_SAID, _LEAST_SAID = 200, 12


class _Column(NamedTuple):
    name: str
    size: int
    #: Where the terminal is too narrow for all, those with the lowest stay; 0 always does.
    rank: int = 0
    right: bool = False


_COLUMNS = (
    _Column("time", 8),
    _Column("st", 3),
    _Column("total", 7, right=True),
    _Column("model", 24),
    _Column("client", 12, 1),
    _Column("first", 7, 4, right=True),
    _Column("served by", 20, 2),
    _Column("in", 6, 6, right=True),
    _Column("cached", 6, 7, right=True),
    _Column("out", 5, 3, right=True),
    _Column("cost", 8, 5, right=True),
)
#: The columns before the text of an error, which takes the place of the others; with room for it beside them, one more.
_BEFORE_ERROR, _WIDE = 4, 100
_BETWEEN = "  "


def format_head(width: int | None) -> str:
    """The names of the columns. width: of the terminal, None for lines of any length."""
    return _join([_fit(one, one.name) for one in _choose(width)])


def format_line(found: RecordedRequest, width: int | None) -> str:
    """The line of a request; it ends with the error, or with what was done to the request. width: as above."""
    cells = dict(zip((one.name for one in _COLUMNS), _make_cells(found), strict=True))
    columns = _choose(width)
    if found.error:
        columns = columns[: _BEFORE_ERROR + (width is None or width >= _WIDE)]
    line = _join([_fit(one, cells[one.name]) for one in columns])
    return _add(line, columns, _say(found), width)


def format_running_line(one: RunningRequest, now: float, width: int | None) -> str:
    """The line of a request that is being answered, below the same head. now: seconds since 1970."""
    cells = {
        "time": time.strftime("%H:%M:%S", time.localtime(now - one.age_s)),
        "st": "\N{HORIZONTAL ELLIPSIS}",
        "total": format_duration(one.age_s),
        "model": one.model or NONE,
        "client": one.client or one.tag or NONE,
    }
    columns = _choose(width)[: _BEFORE_ERROR + (width is None or width >= _WIDE)]
    line = _join([_fit(one, cells[one.name]) for one in columns])
    said = [f"{amounts.format_tokens(one.tokens)} tokens"] if one.tokens else []
    said.append(f"waits for {clean(one.waits)}" if one.waits else "answering")
    said += [f"{clean(one.backend)}/{clean(one.account)}"] if one.backend else []
    said += [f"attempt {one.attempts}"] if one.attempts > 1 else []
    return _add(line, columns, clean("; ".join(said), _SAID), width)


def _add(line: str, columns: list[_Column], said: str, width: int | None) -> str:
    """Add what is said of a request, where there is room."""
    if not said:
        return line
    size = max(len(line), sum(one.size for one in columns) + len(_BETWEEN) * (len(columns) - 1)) + len(_BETWEEN)
    room = _SAID if width is None else width - size
    return f"{line.ljust(size)}{_cut(said, room)}" if room >= _LEAST_SAID else line


def _make_cells(found: RecordedRequest) -> list[str]:
    """The cells of all columns."""
    read = found.cache_read or 0
    whole = None if found.tokens_in is None else found.tokens_in + read + (found.cache_write or 0)
    served = f"{found.backend}/{found.account}" if found.backend and found.attempts else ""
    return [
        time.strftime("%H:%M:%S", time.localtime(found.time)),
        str(found.status or NONE),
        amounts.format_seconds(found.total_ms),
        found.model or f"{found.method} {found.path}",
        found.client or found.tag or NONE,
        amounts.format_seconds(found.first_byte_ms),
        served or NONE,
        amounts.format_tokens(whole),
        amounts.format_share(read / whole) if whole and read else NONE,
        amounts.format_tokens(found.tokens_out),
        amounts.format_money(found.cost_usd),
    ]


def _say(found: RecordedRequest) -> str:
    """What went wrong, or else what was not as asked."""
    if found.error:
        return clean(found.error_text or found.error, _SAID)
    moved = next((one for one in found.tries if one.done), None)
    parts = [f"moved from {moved.backend}/{moved.account} ({moved.status or moved.error})"] if moved else []
    parts += (
        [f"lost in translation: {', '.join(one.partition('=')[0] for one in found.losses)}"] if found.losses else []
    )
    parts += [f"{amounts.format_tokens(found.cache_lost)} cached tokens lost"] if found.cache_lost else []
    return clean("; ".join(parts), _SAID)


def _choose(width: int | None) -> list[_Column]:
    """The columns that fit beside each other; the model is cut where not even the first do."""
    if width is None:
        return list(_COLUMNS)
    columns = [one for one in _COLUMNS if not one.rank]
    room = width - sum(one.size + len(_BETWEEN) for one in columns) + len(_BETWEEN)
    if room < 0:
        *others, model = columns
        return [*others, model._replace(size=max(model.size + room, 1))]
    for one in sorted(_COLUMNS, key=lambda one: one.rank):
        if one.rank and one.size + len(_BETWEEN) <= room:
            columns.append(one)
            room -= one.size + len(_BETWEEN)
        elif one.rank:
            break
    return [one for one in _COLUMNS if one in columns]


def _fit(column: _Column, text: str) -> str:
    text = _cut(make_printable(clean(text)), column.size)
    return text.rjust(column.size) if column.right else text.ljust(column.size)


def _cut(text: str, size: int) -> str:
    return text if len(text) <= size else f"{text[: size - 1]}…"


def _join(cells: list[str]) -> str:
    return _BETWEEN.join(cells).rstrip()
