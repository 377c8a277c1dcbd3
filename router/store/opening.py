"""Chooses the store of a proxy by its settings."""

from collections.abc import Callable

from router.settings import Settings
from router.store.home.home import Home
from router.store.interfaces import Price, Store
from router.store.shared.sqlite import open_sqlite


def open_store(home: Home, say: Callable[[str], None], *, price: Price, settings: Callable[[], Settings]) -> Store:
    """Open the store that the settings name: that of a team where `shared.url` is set, else history.db alone. Arguments
    as of OpenStore. Raises CommandError where the team's is not configured completely."""
    if settings().shared_url is None:
        return open_sqlite(home, say, price=price, settings=settings)
    from router.store.team.opening import open_team

    return open_team(home, say, price=price, settings=settings)
