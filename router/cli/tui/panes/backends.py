"""Backends: which are up, what they serve and how their queues are; those of the home that no proxy reports too."""

from typing import NamedTuple

from router.cli.common.output import format_count
from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import Line, Picture, StoredName
from router.operator_api.status import BackendStatus
from router.policy.accounts.retry import format_duration
from router.settings.kinds import clean
from router.watch import amounts

_NAME, _STATE = 16, 34
_MODELS = 500


class _Row(NamedTuple):
    backend: BackendStatus | StoredName
    line: Line


class BackendsPane(Pane):
    """The backends of the newest proxy, and below them the others of the home."""

    TITLE = "Backends"
    HINTS = "Enter detail   p pause   ? keys   q leave"

    def __init__(self) -> None:
        super().__init__(cursor=True)

    def draw(self, picture: Picture) -> None:
        """Put a line for each backend."""
        reported = [one for proxy in picture.proxies[:1] for one in proxy.backends]
        names = {one.name for one in reported}
        rows = [_Row(one, _format_backend(one)) for one in reported]
        rows += [_Row(one, _format_stored(one)) for one in picture.stored if one.name not in names]
        head = [Line(f" {'backend':<{_NAME}} {'state':<{_STATE}} models  running  waiting", "head")]
        if not rows:
            head.append(Line(" No backends yet. Add one:   fairlead backend add NAME"))
        self.put(rows, lambda row: row.line, key=lambda row: row.backend.name, head=head)

    def describe(self) -> list[Line]:
        """All that is known of the backend."""
        row: _Row | None = self.chosen
        if row is None:
            return []
        if isinstance(row.backend, StoredName):
            name = clean(row.backend.name)
            return [
                Line(f"{name}   {clean(row.backend.about, 300)}"),
                Line(""),
                Line("No running proxy uses it."),
                Line(f"Enable it:   fairlead backend enable {name}"),
            ]
        return [*_describe_backend(row.backend), *self._list_models(row.backend.name)]

    def _list_models(self, backend: str) -> list[Line]:
        proxies = self.picture.proxies[:1] if self.picture is not None else ()
        names = [one.id for proxy in proxies for one in proxy.models if one.backend == backend]
        more = [Line(f"… and {len(names) - _MODELS:,} more")] if len(names) > _MODELS else []
        return [Line(""), *(Line(clean(name)) for name in names[:_MODELS]), *more] if names else []


def _format_backend(one: BackendStatus) -> Line:
    state = _describe_state(one)
    queue = one.queue
    cells = (
        f"{clean(one.name)[:_NAME]:<{_NAME}}",
        f"{state[:_STATE]:<{_STATE}}",
        f"{one.models:>6,}",
        f"{queue.running:>8,}",
        f"{queue.waiting:>8,}",
    )
    text = f" {' '.join(cells)}"
    if queue.waiting and queue.stalled_s is not None:
        text += f"   none began for {format_duration(queue.stalled_s)}"
    for name, limit in queue.limits.items():
        text += f"   {clean(name)} {limit.used:,} of {limit.limit:,}"
    able = any(account.state == "ready" for account in one.accounts) or not one.accounts
    return Line(text, "bad" if one.problem is not None else "" if able else "warn")


def _describe_state(one: BackendStatus) -> str:
    if one.problem is not None:
        return f"\N{BALLOT X} {clean(one.problem, 300)}"
    if one.loading:
        return "reading its list of models"
    ready = sum(account.state == "ready" for account in one.accounts)
    if one.accounts and not ready:
        return f"\N{BLACK UP-POINTING TRIANGLE} {clean(one.accounts[0].reason, 300)}"
    several = f", {ready} of {len(one.accounts)} accounts ready" if len(one.accounts) > 1 else ""
    return f"\N{BLACK CIRCLE} up{several}"


def _format_stored(one: StoredName) -> Line:
    return Line(f" {clean(one.name)[:_NAME]:<{_NAME}} {clean(one.about, 300)}", "dim")


def _describe_backend(one: BackendStatus) -> list[Line]:
    lines = [Line(f"{clean(one.name)}   {_describe_state(one)}"), Line("")]
    if one.problem is not None:
        lines.append(Line(f"problem    {clean(one.problem, 600)}", "bad"))
    lines.append(Line(f"speaks     {', '.join(one.protocols)}   {format_count(one.models, 'model')}"))
    queue = one.queue
    lines.append(
        Line(f"queue      {queue.running:,} of {queue.limit:,} running   {queue.waiting:,} of {queue.most:,} waiting")
    )
    for account in one.accounts:
        left = f"{amounts.format_share(account.headroom)} left"
        lines.append(Line(f"account    {clean(account.alias)}   {clean(account.reason, 300)}   {left}"))
    lines.append(Line(f"Test it:   fairlead backend test {clean(one.name)}"))
    return lines
