"""Tables of paths that no model answers: those that cost nothing, and those that administer or hand out credentials.

All are of canonical paths, without the leading /v1/; `*` stands for any characters of one segment.
"""

import re

# Calls that no provider bills, beside those that count tokens. What may cost is not here: a path that nobody has
# thought of is taken for one that costs. Storing a file is free; indexing it (vector_stores) is not.
_FREE = (
    "assistants",
    "assistants/*",
    "batches/*/cancel",
    "chat/completions/chatcmpl-*",
    "conversations",
    "conversations/*",
    "conversations/*/items",
    "evals/*/runs/evalrun_*",
    "files",
    "fine_tuning/jobs/*/cancel",
    "fine_tuning/jobs/*/pause",
    "messages/batches/*/cancel",
    "moderations",
    "responses/*/cancel",
    "threads",
    "threads/thread_*",
    "threads/thread_*/messages",
    "threads/thread_*/messages/*",
    "threads/thread_*/runs/run_*",
    "threads/thread_*/runs/*/cancel",
    "uploads",
    "uploads/*/cancel",
    "uploads/*/complete",
    "uploads/*/parts",
    "vector_stores/*/file_batches/*/cancel",
)
#: Calls that a model answers in a form of their own, with the tokens it used.
METERED = frozenset(("/v1/agents/completions", "/v1/fim/completions"))
# Answers that repeat the usage of an earlier call.
_RETOLD = (
    "*/cancel",
    "*/*/cancel",
    "*/*/*/cancel",
    "*/*/*/*/cancel",
    "chat/completions/*",
    "evals/*/runs/*",
    "threads/*/runs/*",
)

# They manage an organisation, its keys and its bill, or make credentials.
_CLOSED = re.compile(
    r"/v1/(?:organizations?|admin|projects?|api[-_]?keys?|keys?|auth|oauth2?|users?|billing|credits?|usage|dashboard"
    r"|account|invites?|workspaces?|limits?|secrets?|credentials?|certificates?|audit[-_]logs?|service[-_]accounts?"
    r"|chatkit/sessions|realtime/(?:[a-z]+[-_])?sessions)(?:/|$)",
    re.IGNORECASE,
)
# Segments of paths that answer with a credential, wherever they stand.
_CREDENTIALS = frozenset(
    f"{kind}_{what}{plural}"
    for kind in ("client", "access", "auth", "ephemeral", "session", "single_use", "temporary")
    for what in ("secret", "key", "token")
    for plural in ("", "s")
)
#: Methods that start nothing that is billed.
UNBILLED_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "DELETE"))


def _compile(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("/v1/(?:" + "|".join(one.replace("*", "[^/]+") for one in patterns) + ")")


_free, _retold = _compile(_FREE), _compile(_RETOLD)


def is_unbilled(path: str) -> bool:
    """True for a path whose calls no provider bills."""
    return _free.fullmatch(path) is not None


def retells_usage(path: str) -> bool:
    """True for a path whose answers repeat the usage of an earlier call."""
    return _retold.fullmatch(path) is not None


def is_administration(path: str) -> bool:
    """True for a path that manages an organisation, its keys or its bill, or that answers with a credential."""
    if _CLOSED.match(path) is not None:
        return True
    return not _CREDENTIALS.isdisjoint(path.lower().replace("-", "_").split("/"))
