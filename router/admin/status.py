"""What a proxy tells operators of itself: GET /status, and `status()` of the library."""

import os
from typing import Protocol

import trio

from router import __version__
from router.admin.bounds import report
from router.host.clock import sleepless
from router.policy.routing.model_list import list_models
from router.store.shared import captures
from router.upstream.account_state import account_report, why_not
from router.upstream.runtime import Runtime
from router.upstream.services import Service

STATUS_SCHEMA = 1


class Operated(Protocol):
    """What operators act on. url: for clients on this machine. started: on trio's clock."""

    url: str
    started: float

    @property
    def problems(self) -> list[str]:
        """What the user should know, each with its fix."""
        ...

    def stop(self) -> None:
        """Begin to stop."""
        ...

    def reload(self) -> trio.Event:
        """Ask for a reload; the event is set when it is done."""
        ...


def status(runtime: Runtime, operated: Operated) -> dict[str, object]:
    """Fields: schema, version, pid, url, uptime_s, loaded, backends (backends_of), models, problems,
    upstream_connections, buffered_bytes, dropped_log_lines, history, capture, guard (Guard.status), vitals
    (bounds.report).

    schema: 1 until a field goes or changes its meaning; new ones may come. loaded: all code is in memory, the
    installation may be replaced. history: problem (why nothing is kept on disk, or null), dropped (rows that were lost
    since the start), path (of the file) and elsewhere (why it does not lie in the home, or null). capture: on (bodies
    are captured), folder (where they lie), dropped (requests that were not captured since the start), problem (why
    not, or null).
    """
    table = runtime.snapshot.table
    return {
        "schema": STATUS_SCHEMA,
        "version": __version__,
        "pid": os.getpid(),
        "url": operated.url,
        "uptime_s": round(trio.current_time() - operated.started, 1),
        "loaded": runtime.loaded.is_set(),
        "backends": backends_of(runtime),
        "models": [
            {"id": name, "backend": owner, "protocols": list(table.named[owner].protocols)}
            for name, owner in list_models(table).items()
        ],
        "problems": operated.problems,
        "upstream_connections": {"open": runtime.connections.open, "idle": runtime.connections.idle},
        "buffered_bytes": runtime.buffers.held,
        "dropped_log_lines": runtime.log.dropped,
        "history": {
            "problem": runtime.ledger.problem,
            "dropped": runtime.ledger.dropped,
            "path": str(runtime.ledger.path),
            "elsewhere": runtime.ledger.elsewhere,
        },
        "capture": {
            "on": runtime.settings.history_capture,
            "folder": str(runtime.home.at(captures.FOLDER)),
            "dropped": runtime.captures.dropped,
            "problem": runtime.captures.problem,
        },
        "guard": runtime.guard.status(),
        "vitals": report(runtime),
    }


def backends_of(runtime: Runtime) -> list[dict[str, object]]:
    """The enabled backends. Fields: name, protocols, enabled, models (how many it lists), problem (why it cannot serve
    now, or null), accounts (each with alias and accounts.account_report), queue (line_report)."""
    problems = problems_of(runtime)
    now = sleepless()
    found: list[dict[str, object]] = []
    for backend in runtime.snapshot.table.backends:
        catalog = runtime.catalogs.get(backend.name)
        service = runtime.snapshot.services[backend.name]
        found.append(
            {
                "name": backend.name,
                "protocols": list(backend.protocols),
                "enabled": backend.enabled,
                "models": len(catalog.models) if catalog else 0,
                "problem": problems.get(backend.name),
                "accounts": [
                    {"alias": member.alias, **account_report(service, member, now)} for member in service.pool.members
                ],
                "queue": line_report(service),
            }
        )
    return found


def problems_of(runtime: Runtime) -> dict[str, str]:
    """Of each backend that cannot serve now, why."""
    found = {name: entry.problem for name, entry in runtime.catalogs.items() if entry.problem}
    for name, target in runtime.snapshot.targets.items():
        said = target.problem or why_not(runtime.snapshot.services[name], sleepless())
        if said:
            found[name] = said
    return found


def line_report(service: Service) -> dict[str, object]:
    """Fields: running, waiting (requests), limit and most (how many of each there may be), stalled_s (seconds for which
    nobody was let go although somebody waits, null when nobody waits), limits (the user's own: name -> used, limit)."""
    line = service.queue
    stalled = line.stalled()
    return {
        "running": line.running,
        "waiting": line.waiting,
        "limit": line.limit,
        "most": line.most,
        "stalled_s": None if stalled is None else round(stalled, 1),
        "limits": {
            name: {"used": used, "limit": limit} for name, (used, limit) in line.rate_limit.used(line.clock()).items()
        },
    }
