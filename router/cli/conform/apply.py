"""Takes over what a card says of a backend's profile, into config.toml."""

from router.cli.common.layout import say
from router.cli.config.judge import make_judge
from router.cli.config.set import announce_change
from router.conform.record import Card
from router.settings.keys import match_spelling
from router.store.config import toml
from router.store.config.toml import Change
from router.store.home.home import Home


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
    say(f"Written to [{'.'.join(place)}] of config.toml. Take it back:   fairlead config unset {'.'.join(place)}")
    announce_change(home, [".".join(change.path) for change in changes])
