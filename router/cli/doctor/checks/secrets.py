"""The keys of accounts: whether the process that needs them can have them."""

from collections import defaultdict
from collections.abc import Mapping

from router.backends import Account, Backend
from router.cli.common.output import format_count
from router.cli.doctor.row import Row
from router.cli.doctor.situation import Situation
from router.errors import CommandError
from router.operator_api.accounts import ListedAccount
from router.settings import Secret
from router.settings.kinds import clean
from router.store.config.redacted import advise_key
from router.store.keys.references import find_variable, source
from router.upstream.credentials import find_reference

_ID = "secrets"


async def check_secrets(situation: Situation) -> list[Row]:
    """Whether each account's key can be had, here and by the proxy, and no two accounts have one."""
    rows: list[Row] = []
    found: dict[str, list[str]] = defaultdict(list)
    number = 0
    there = _list_there(situation)
    for backend in situation.enabled:
        for account in backend.accounts if backend.auth == "key" else ():
            number += 1
            name = f"{backend.name}/{account.alias}"
            secret, row = await _judge(situation, backend, account, there.get(name))
            rows += [row] if row is not None else []
            if secret is not None:
                found[secret.reveal()].append(name)
    for names in found.values():
        if len(names) > 1:
            text = f"{' and '.join(names)} have the same key, so that its limits are counted twice"
            backend, _, alias = names[-1].partition("/")
            fix = f"Remove one: fairlead accounts remove {backend} {alias}"
            rows.append(Row(_ID, "warn", text, fix, subject=backend))
    if not rows and number:
        rows = [Row(_ID, "ok", f"{format_count(number, 'key')} can be had")]
    return rows


def _list_there(situation: Situation) -> Mapping[str, ListedAccount]:
    """The accounts as the running proxy sees them."""
    serving = situation.serving
    if serving is None or serving.accounts is None:
        return {}
    return {f"{one.backend}/{one.alias}": one for one in serving.accounts.accounts}


async def _judge(
    situation: Situation, backend: Backend, account: Account, there: ListedAccount | None
) -> tuple[Secret | None, Row | None]:
    """The key, None where it cannot be had here; and a row for what is wrong."""
    name = f"{backend.name}/{account.alias}"
    secret, problem = await _fetch(situation, backend, account)
    variable = find_variable(account.key)
    remote = clean(there.key_problem, 300) if there is not None and there.key_problem else ""
    if remote and problem is None:
        if variable:
            text = f"{name}: ${variable} is set in this shell, and not where the proxy runs"
            return secret, Row(_ID, "warn", text, _advise_restart(backend, situation), subject=backend.name)
        row = Row(_ID, "fail", f"{name}: the proxy cannot have its key: {remote}", advise_key(backend, account.alias))
        return secret, row._replace(subject=backend.name)
    if problem is None:
        return secret, None
    if there is not None and not remote:
        if not variable:
            return None, Row(_ID, "info", f"{name}: {problem} The proxy has its key", subject=backend.name)
        return None, Row(
            _ID, "info", f"{name}: ${variable} is set where the proxy runs, not here", subject=backend.name
        )
    verdict = "warn" if there is None and variable else "fail"
    fix = problem.hint or advise_key(backend, account.alias)
    return None, Row(_ID, verdict, f"{name}: {problem}", fix, subject=backend.name)


def _advise_restart(backend: Backend, situation: Situation) -> str:
    serving = situation.serving
    mode = serving.run.mode if serving is not None else ""
    if mode in ("user unit", "system unit", "launch agent", "task"):
        return f"Give it to the service: fairlead service install; or: fairlead backend add {backend.name} --keyring"
    return "Start the proxy anew from this shell: fairlead stop, then fairlead proxy --detach"


async def _fetch(situation: Situation, backend: Backend, account: Account) -> tuple[Secret | None, CommandError | None]:
    """The key, or why it cannot be had here. In offline mode no issuer is asked."""
    if situation.offline and source(account.key) in ("login", "google", "azure"):
        return None, None
    try:
        return await situation.credentials.key(find_reference(account, backend.root)), None
    except CommandError as error:
        return None, error
