"""history.db: whether it can be read and written, is whole, and has room; and whether the server of a team answers."""

import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING

from router.cli.common.budget_lines import describe_export, describe_server
from router.cli.common.output import format_count
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.operator_api.status import Status
from router.settings.kinds import clean
from router.store.database.location import locate
from router.store.history.reader import open_reader
from router.store.home.home import Home
from router.store.home.permissions import shown

if TYPE_CHECKING:
    import sqlite3

#: Free bytes that a history needs to go on.
_FREE_LEAST = 200 << 20
#: Seconds for looking through the file.
_CHECK_SECONDS = 2.0
#: Steps of SQLite between two looks at the clock.
_STEPS = 10_000


def check_history(situation: Situation) -> list[Row]:
    """Whether the history is kept, and its file is whole."""
    home = situation.home
    if home is None:
        return []
    location = locate(home, situation.environ)
    if location.problem:
        return [Row("history", "warn", location.problem, "Name a local folder: export XDG_STATE_HOME=/absolute/path")]
    rows = [*_judge_file(home, location.path), *_judge_room(location.path.parent)]
    if location.elsewhere:
        rows.append(Row("history", "info", location.elsewhere))
    damaged = sorted(location.path.parent.glob(f"{location.path.name}.corrupt-*"))
    if damaged:
        number = "a damaged copy is" if len(damaged) == 1 else f"{len(damaged)} damaged copies are"
        rows.append(Row("history", "info", f"{number} beside it: {shown(damaged[0])}"))
    serving = situation.serving
    if serving is not None and serving.status is not None:
        rows += _judge_status(serving.status)
    return rows


def _judge_file(home: Home, path: Path) -> list[Row]:
    if not os.path.lexists(path):
        return [Row("history", "ok", "nothing was recorded yet")]
    try:
        with open_reader(home) as db:
            fault = find_damage(db) if db is not None else ""
            # A proxy makes the file when it starts.
            empty = db is not None and not fault and _is_empty(db)
    except CommandError as error:
        return [Row("history", "fail", str(error), error.hint)]
    if fault:
        text = f"{shown(path)} is damaged: {clean(fault)}"
        fix = f"A proxy starts a new one once the old one is away: mv {path} {path}.damaged"
        return [Row("history", "fail", text, fix)]
    said = "nothing was recorded yet" if empty else f"{shown(path)}, {path.stat().st_size / 1e6:,.1f} MB"
    return [Row("history", "ok", said)]


def _is_empty(db: "sqlite3.Connection") -> bool:
    """True where no request is recorded, nor sums of requests that were erased by now."""
    import sqlite3

    try:
        return not db.execute("SELECT EXISTS (SELECT 1 FROM requests) OR EXISTS (SELECT 1 FROM rollups)").fetchone()[0]
    except sqlite3.DatabaseError:
        # Its damage was not looked for to the end of the file.
        return False


def find_damage(db: "sqlite3.Connection", seconds: float = _CHECK_SECONDS) -> str:
    """What SQLite finds wrong with the file, "" for nothing in this time."""
    import sqlite3

    end = time.monotonic() + seconds
    db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        found = str(db.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.OperationalError:
        # A large file is not looked through to its end.
        return ""
    except sqlite3.DatabaseError as error:
        return str(error)
    finally:
        db.set_progress_handler(None, 0)
    return "" if found == "ok" else found


def _judge_room(folder: Path) -> list[Row]:
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return []
    if free >= _FREE_LEAST:
        return []
    text = f"{shown(folder)} has {free >> 20} MB left; the history ends when it is full"
    return [Row("history", "warn", text, "Make room, or let it keep less: fairlead config set history.max_size 100MB")]


def _judge_status(status: Status) -> list[Row]:
    """What the running proxy says of it."""
    rows: list[Row] = []
    if status.history.problem:
        rows.append(Row("history", "fail", clean(status.history.problem, 400), "See: fairlead status"))
    if status.history.dropped:
        text = f"{format_count(status.history.dropped, 'row')} were lost since the proxy started"
        rows.append(Row("history", "warn", text, "Is the disk slow or full? See: df -h"))
    if status.capture.on:
        text = f"bodies of requests and answers are kept for 24 h in {shown(Path(status.capture.folder))}"
        rows.append(
            Row("history", "warn", text, "When they are no longer needed: fairlead config set history.capture off")
        )
    if status.capture.problem:
        text = clean(status.capture.problem, 400)
        rows.append(Row("history", "warn", text, "Captures stop until then: fairlead config get history.capture"))
    cache = status.answer_cache
    if cache is not None and cache.problem:
        rows.append(Row("history", "warn", clean(cache.problem, 400), "Begin a new one: fairlead cache clear"))
    elif cache is not None and cache.on:
        text = f"answers are kept in {shown(Path(cache.path))}, to be given again"
        rows.append(Row("history", "info", text, "See what is there: fairlead cache show"))
    return rows


def check_server(situation: Situation) -> list[Row]:
    """Whether the server of a team answers, from here and from the running proxies. Blocks."""
    settings = situation.loaded.settings
    if settings.shared_url is None:
        return []
    from router.store.team.client import Refused, Unreachable
    from router.store.team.opening import connect_team

    try:
        team = connect_team(settings, lambda text: None, situation.environ)
    except CommandError as error:
        return [Row("shared", "fail", str(error), error.hint)]
    where = team.client.address.shown
    begun = time.monotonic()
    try:
        team.client.execute("PING")
        rows = [Row("shared", "ok", f"{where} answers in {(time.monotonic() - begun) * 1000:.1f} ms")]
    except (Unreachable, Refused) as error:
        fix = "Is the server up, and reachable from here? Requests meanwhile: fairlead config get shared.on_loss"
        rows = [Row("shared", "fail", clean(str(error), 300), fix)]
    finally:
        team.client.close()
    for found in situation.proxies:
        shared = found.status.shared if found.status is not None else None
        if found.status is not None and shared is None:
            text = f"the proxy on :{found.run.port} was started without shared.url"
            rows.append(Row("shared", "warn", text, "Restart it: fairlead stop, then fairlead proxy --detach"))
        elif shared is not None and shared.problem is not None:
            fix = "Is the server up, and reachable from there? Requests meanwhile: fairlead config get shared.on_loss"
            rows.append(Row("shared", "fail", f"the proxy on :{found.run.port}: {describe_server(shared)}", fix))
        elif shared is not None and shared.losses:
            text = (
                f"the server has lost data {format_count(shared.losses, 'time')}, and was filled again by the proxies"
            )
            rows.append(Row("shared", "warn", text, "Does it keep its data? See: CONFIG GET appendonly"))
        elif shared is not None:
            rows.append(Row("shared", "ok", f"the proxy on :{found.run.port}: {describe_server(shared)}"))
    return rows


def check_export(situation: Situation) -> list[Row]:
    """Whether a collector takes what the running proxies send."""
    if situation.settings.telemetry_otlp is None:
        return []
    rows: list[Row] = []
    for found in situation.proxies:
        telemetry = found.status.telemetry if found.status is not None else None
        if telemetry is not None:
            verdict = "ok" if telemetry.problem is None and not telemetry.dropped else "warn"
            fix = "" if verdict == "ok" else "Is it up, and does it take these headers? fairlead config get telemetry"
            text = f"the proxy on :{found.run.port}: {describe_export(telemetry)}"
            rows.append(Row("telemetry", verdict, text, fix))
        elif found.status is not None:
            text = f"the proxy on :{found.run.port} was started without telemetry.otlp"
            rows.append(Row("telemetry", "warn", text, "Restart it: fairlead stop, then fairlead proxy --detach"))
    return rows
