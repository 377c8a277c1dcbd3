"""The names of a team's keys on the server: one hash tag for all, so that a cluster keeps them in one slot."""


class KeyNames:
    """Makes the names of the keys of one team: `fl:{TEAM}:KIND` or `fl:{TEAM}:KIND:ID`."""

    __slots__ = ("prefix",)

    def __init__(self, team: str):
        self.prefix = f"fl:{{{team}}}:"

    def name(self, kind: str, *ids: str) -> str:
        """The name of a key."""
        return self.prefix + ":".join((kind, *ids))
