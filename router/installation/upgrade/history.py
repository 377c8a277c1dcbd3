"""Whether another version can read this home's history."""

from router.errors import CommandError
from router.store.database.location import locate
from router.store.home.home import Home
from router.store.home.permissions import shown, word


def check_history(home: Home, schema: int, version: str) -> None:
    """Refuse a version whose newest history.db is older than this home's. schema: its `PRAGMA user_version`, -1 when
    that is not known. Raises CommandError."""
    found = _read_schema(home)
    if found <= schema:
        return
    path = locate(home).path
    reads = f"reads history.db up to version {schema}" if schema >= 0 else "may not read this home's history.db"
    raise CommandError(
        f"fairlead {version} {reads}, and {shown(path)} is of version {found}.",
        "Export it, stop the proxy, and move it away; the older fairlead starts a new one:\n"
        f"  fairlead history export > history.ndjson\n  fairlead stop\n  mv {word(path)} {word(path)}.newer",
    )


def _read_schema(home: Home) -> int:
    """The version of the file; 0 without one, or with one that is damaged, which every version sets aside."""
    import sqlite3

    path = locate(home).path
    if not path.exists():
        return 0
    try:
        # By SQLite, not from the file's head: the newest version may stand in its log still.
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=5)
        try:
            return int(db.execute("PRAGMA user_version").fetchone()[0])
        finally:
            db.close()
    except sqlite3.DatabaseError:
        return 0
