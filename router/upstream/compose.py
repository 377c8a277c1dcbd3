"""Puts the parts of a proxy together. Another store, or another way to reach upstreams, is an argument."""

import os
from collections.abc import Collection, Mapping

from router.budget.guard import Guard
from router.host.notify import Notifier
from router.login.tokens import Logins
from router.net.client.pool import ConnectionPool
from router.policy.cache.sessions import PromptSessions
from router.settings import Settings
from router.settings.declared import GUARD_NOTICES, NOTICES
from router.store.captures.folder import Captures
from router.store.home.home import Home
from router.store.interfaces import OpenStore
from router.store.opening import open_store as open_chosen_store
from router.telemetry.accesslog import AccessLog
from router.telemetry.pricing import Pricing
from router.telemetry.recorder import Recorder
from router.upstream.catalogs import Catalogs
from router.upstream.configuration import Configuration, LiveSettings
from router.upstream.credentials import Credentials
from router.upstream.loops import Address
from router.upstream.runtime import Runtime
from router.upstream.snapshot import SnapshotBuilder
from router.upstream.translation_state import TranslationState


def compose(
    configuration: Configuration,
    home: Home,
    log: AccessLog,
    *,
    demo_root: str | None = None,
    listening: Collection[Address] = (),
    environ: Mapping[str, str] | None = None,
    connections: ConnectionPool | None = None,
    translation_state: TranslationState | None = None,
    open_store: OpenStore = open_chosen_store,
) -> Runtime:
    """Compose the runtime of one proxy. configuration: the one it starts with. demo_root: URL of the demo, if it runs.
    listening: where the proxy listens. environ: for keys, the process's own by default. Nothing is read or written."""
    environ = os.environ if environ is None else environ
    live, state = LiveSettings(configuration.settings), translation_state or TranslationState()
    price = Pricing(live).price
    store = open_store(home, log.add, price=price, settings=live)
    notifier = Notifier(lambda: _list_notices(live.current))
    guard = Guard(store.shared_budgets, log.add, notifier)
    logins = Logins(home, lambda: runtime.snapshot.outbound, say=log.add, shared=store.shared_logins)
    credentials = Credentials(
        environ, configuration.own_keys, log.hide, logins=logins, outbound=lambda: runtime.snapshot.outbound
    )
    learned = store.learned_limits, store.seen_lifetimes
    snapshots = SnapshotBuilder(credentials, guard, store.account_states, state, *learned)
    recorder = Recorder(store.ledger, store.history, price)
    prompts = PromptSessions()
    for forget in (state.forget, recorder.forget_recent, prompts.forget):
        store.stored_responses.on_erased(forget)
    runtime = Runtime(
        home=home,
        log=log,
        environ=environ,
        live=live,
        credentials=credentials,
        catalogs=Catalogs(credentials, log.add),
        snapshots=snapshots,
        snapshot=snapshots.build(configuration.settings, configuration.outbound),
        connections=ConnectionPool() if connections is None else connections,
        ledger=store.ledger,
        account_states=store.account_states,
        shared_keys=store.shared_keys,
        shared_settings=store.shared_settings,
        resource_owners=store.resource_owners,
        stored_responses=store.stored_responses,
        learned_limits=store.learned_limits,
        seen_lifetimes=store.seen_lifetimes,
        recorder=recorder,
        captures=Captures(home, log.remove_secrets, lambda: live.current.history_capture),
        guard=guard,
        notifier=notifier,
        prompt_sessions=prompts,
        demo_root=demo_root,
        listening=listening,
    )
    runtime.client_keys.on_budgets = runtime.apply_budgets
    credentials.on_login = runtime.note_login
    runtime.apply(configuration)
    return runtime


def _list_notices(settings: Settings) -> Collection[str]:
    """The kinds of notifications that the user wants."""
    wanted = NOTICES if "all" in settings.notify else settings.notify
    return wanted if settings.guard_notify else [one for one in wanted if one not in GUARD_NOTICES]
