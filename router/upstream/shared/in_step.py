"""Keeps accounts, sessions and client keys in step with the other proxies of the store, between requests."""

import trio

from router.host.clock import boot_time
from router.upstream.runtime import Runtime


async def keep_in_step(runtime: Runtime) -> None:
    """Take over what others tell, and tell what is new here, until cancelled; returns at once where a store has nothing
    to keep in step."""
    states = runtime.account_states
    if states.interval is None:
        return
    while True:
        if states.step(boot_time()):
            for service in runtime.snapshot.services.values():
                service.pool.note_changed()
                service.queue.recheck()
        keys = runtime.shared_keys.step()
        if keys is not None:
            runtime.client_keys.share(keys)
            runtime.apply_budgets()
        await trio.sleep(states.interval)
