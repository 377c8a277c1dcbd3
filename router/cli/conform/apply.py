"""Takes over what a card says of a backend's profile, into config.toml."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from router.cli.common.layout import say
from router.cli.config.judge import make_judge
from router.cli.config.set import announce_change
from router.conform.record import Card
from router.settings.keys import match_spelling
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home.home import Home


def _holds(tree: Mapping[str, Any], path: Sequence[str]) -> bool:
    """True where the file has such a table."""
    for name in path:
        below = tree.get(name)
        if not isinstance(below, dict):
            return False
        tree = cast("dict[str, Any]", below)
    return bool(tree)


def apply_differences(home: Home, card: Card) -> None:
    """Write the flags to `[backends.NAME.profile]`, as `config set` would. Raises CommandError."""
    file = toml.read(home)
    named = ("backends", card.backend, "profile")
    place = match_spelling(named, file.tree) if file is not None else named
    changes = [Change((*place, one.flag), one.seen) for one in card.profile_diff]
    if not changes:
        say("The profile fits what was seen; nothing was written.")
        return
    toml.change(home, changes, make_judge(home))
    shown = ".".join(place)
    # What the user had written there before stays.
    back = f"{shown}.FLAG" if file is not None and _holds(file.tree, place) else shown
    say(f"Written to [{shown}] of config.toml. Take it back:   fairlead config unset {back}")
    announce_change(home, [".".join(change.path) for change in changes])
