"""A home with backends, settings and requests, written as files: completion reads nothing else."""

import json
import time

from router.store.database.writer import Ledger
from router.store.history.entry import HistoryEntry
from router.store.history.record import History
from router.store.home.home import open_home

SECRET = "sk-live-0123456789abcdef"
CONFIG = f"""\
api_key = "{SECRET}"
default_backend = "groq"

[aliases]
fast = "groq:llama-3.3-70b-versatile"
"Slow One" = "claude-opus-5"

[fallback]
"claude-*" = ["office:qwen3-coder"]

[backends.office]
rpm = 30

[backends.office.set_headers]
X-Secret-Token = "{SECRET}"

[guard.tags.day_usd]
nightly = 5
"""


def write_home(path, config=CONFIG):
    """The home, with two backends."""
    home = open_home({"FAIRLEAD_HOME": str(path)})
    for name, vendor, aliases in (("groq", "groq", ("work", "personal")), ("office", "", ("default",))):
        fields = {
            "schema": 1,
            "name": name,
            "root": "http://127.0.0.1:9/v1",
            "protocols": ["chat"],
            "vendor": vendor,
            "accounts": [{"alias": alias, "key": SECRET} for alias in aliases],
        }
        home.write(f"backends/{name}.json", json.dumps(fields).encode())
    home.write("keys/laptop.json", b"{}")
    home.write("keys/tool-codex.json", b"{}")
    home.write("keys/tools/codex", SECRET.encode())
    home.write("config.toml", config.encode())
    return home


def write_history(home, **changes):
    """One served request of groq with a tag."""
    ledger = Ledger(home, print)
    history = History(ledger, lambda entry: (None, ""), lambda: 30)
    fields = {
        "id": "req_0000000000000000000b",
        "started": time.time() - 7200,
        "method": "POST",
        "path": "/v1/chat/completions",
        "protocol": "chat",
        "model": "fast",
        "served": "llama-3.3-70b-versatile",
        "backend": "groq",
        "account": "work",
        "client": "curl",
        "status": 200,
        "attempts": 1,
        "total": 1.0,
        "tag": "nightly",
    }
    history.add(HistoryEntry(**{**fields, **changes}))
    ledger.close(10)
