"""Keeps accounts, sessions, client keys and settings in step with the other proxies of the store, between requests."""

from collections.abc import Callable

import trio

from router.host.clock import boot_time
from router.upstream.runtime import Runtime

# Settings may be changed in many homes at once, as with a mount that all have.
_RELOAD_SECONDS = 2.0


async def keep_in_step(runtime: Runtime, reload: Callable[[], object]) -> None:
    """Take over what others tell, and tell what is new here, until cancelled; returns at once where a store has nothing
    to keep in step. reload: has the configuration read again, since it may be in a folder that others changed."""
    states = runtime.account_states
    if states.interval is None:
        return
    states.share_limits(runtime.client_keys.list_limits)
    reloaded = -_RELOAD_SECONDS
    while True:
        if states.step(boot_time()):
            for service in runtime.snapshot.services.values():
                service.pool.note_changed()
                service.queue.recheck()
        keys = runtime.shared_keys.step()
        if keys is not None:
            runtime.client_keys.share(keys)
            runtime.apply_budgets()
        news = runtime.shared_settings.step()
        if news is not None:
            for line in news.changes:
                runtime.log.add(line)
            runtime.compare_with_team(news.others)
            if news.changes and trio.current_time() - reloaded >= _RELOAD_SECONDS:
                reloaded = trio.current_time()
                reload()
        await trio.sleep(states.interval)
