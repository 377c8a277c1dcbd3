"""What a user can do about a request that failed, by what the history holds of it: a sentence, with its command."""

import re
import shlex

from router.backends.changes import FIRST_ALIAS
from router.errors import ContextOverflow
from router.policy.routing.table import DEMO
from router.settings.kinds import clean
from router.settings.reading import format_path
from router.store.history.read_requests import RecordedAttempt, RecordedRequest
from router.wire.errors.overflow import is_overflow
from router.wire.neutral.tool_forms.hosted_tools import NO_WEB_SEARCH

_TIMEOUT = re.compile(r"(?<![\d.])([\d.]++) s \(((?:timeouts|queue)\.\w+)\)")
_OWN_LIMIT = re.compile(r"\bbackends\.[^\s.]++\.(?:rpm|tpm|min_interval)\b")
# What a table of the error's class says; the texts of errors decide the rest.
_BY_CLASS = {
    "halted": "when more may be spent, lift the halt: fairlead resume",
    "unpriced": "set the price of the model, or let it pass: fairlead config set guard.unpriced allow",
    "client_gone": "the tool closed the connection; if it gave up waiting, raise its own timeout",
    "stopping": "fairlead was stopped; start it, then send the request again: fairlead proxy",
    "upstream_broke_off": "the tool may send it again; if it happens often: fairlead backend test {backend}",
    "internal": "this is a bug in fairlead; please report it",
}


def find_next_step(found: RecordedRequest) -> str:
    """What can be done about the request; '' for one that did not fail, and where only the request can be changed."""
    if found.backend == DEMO or not (found.error or found.status >= 400):
        return ""
    if found.error in _BY_CLASS:
        return _BY_CLASS[found.error].format(backend=clean(found.backend))
    text = found.error_text or ""
    asked = next((one for one in reversed(found.tries) if one.text == text or not one.done), None)
    known = _about_request(found, text) or _about_limits(found, text)
    return known or (_about_model(found) if asked is None else _about_answer(found, asked, text))


def _about_request(found: RecordedRequest, text: str) -> str:
    """About a request that asks for more than its model or backend has."""
    if found.error == ContextOverflow.word or is_overflow(text, status=found.status):
        chain = shlex.quote(format_path(("fallback", found.model)))
        return f"shorten the conversation, or name a model that takes more: fairlead config set {chain} BACKEND:MODEL"
    if NO_WEB_SEARCH in text:
        return (
            "send searches to a backend that has them: fairlead config set server_tools.web_search BACKEND:MODEL; or "
            "name an engine: fairlead config set search.provider NAME"
        )
    return ""


def _about_limits(found: RecordedRequest, text: str) -> str:
    """About a limit that the user set, or may set."""
    timeout = _TIMEOUT.search(text)
    if timeout is not None:
        return f"allow more time: fairlead config set {timeout[2]} {float(timeout[1]) * 2:g}s"
    own = _OWN_LIMIT.search(text)
    if own is not None:
        return f"raise {own[0]}: fairlead config edit"
    if "queue.max_queued" in text or "max_concurrent" in text:
        return "send fewer requests at a time, or raise the limit: fairlead config edit"
    return ""


def _about_model(found: RecordedRequest) -> str:
    """About a request that was sent nowhere."""
    if found.status == 404 and found.model:
        return "choose a model that is served: fairlead models"
    if found.status == 401 and found.backend:
        return _give_key(found, found.backend, found.account)
    if found.status == 401:
        return "point the tool at fairlead with its key: fairlead env"
    if found.status == 404 and not found.protocol:
        return "correct the base URL of the tool: fairlead env"
    return ""


def _about_answer(found: RecordedRequest, asked: RecordedAttempt, text: str) -> str:
    """About what the upstream answered, or why it did not."""
    backend = clean(asked.backend)
    test = f"fairlead backend test {backend}"
    if not asked.status:
        return _about_connection(asked, text, test)
    if asked.status == 401:
        return _give_key(found, asked.backend, asked.account)
    if asked.status == 403:
        return f"the provider does not allow it for this account; use another one: {_add_account(backend)}"
    if asked.status == 402 or "quota" in f"{text} {asked.note}".lower():
        return f"add credit at the provider of {backend}, or another account: {_add_account(backend)}"
    if asked.status == 404 and 'rule "' in (found.route or "") and found.served_model != found.model:
        return f"the rule sends it as {clean(found.served_model)}; correct the rule: fairlead config edit"
    if asked.status == 404:
        return "choose a model the backend lists: fairlead models"
    if asked.status == 429:
        return f"wait, or add another account: {_add_account(backend)}"
    if asked.status >= 500:
        return f"the provider failed; the tool may send it again, or see whether it works: {test}"
    return ""


def _about_connection(asked: RecordedAttempt, text: str, test: str) -> str:
    """About a backend that gave no answer."""
    lower = text.lower()
    if asked.error == "authentication_error":
        return f"give it a key that can be read: fairlead backend add {clean(asked.backend)} --key-stdin"
    if "resolved" in lower or "dns" in lower:
        return f"check the network, the VPN and the base URL: {test}"
    if "refused" in lower:
        return f"start the server, or correct the base URL: {test}"
    return f"see whether it can be reached now: {test}"


def _give_key(found: RecordedRequest, backend: str, account: str) -> str:
    """About a key that was refused. The accounts that have no key of fairlead's are named `client` and `none`."""
    backend, account = clean(backend), clean(account)
    if account == "client":
        return f"the login of the tool itself was refused: log in again in {clean(found.client) or 'the tool'}"
    if account in ("", FIRST_ALIAS, "none"):
        return f"give it another key: fairlead backend add {backend} --key-stdin"
    return (
        f"give the account another key: fairlead accounts remove {backend} {account}, "
        f"then fairlead accounts add {backend} {account} --key-stdin"
    )


def _add_account(backend: str) -> str:
    return f"fairlead accounts add {backend} ALIAS --key-stdin"
