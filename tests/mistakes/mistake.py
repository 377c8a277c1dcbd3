"""What a user does wrong, and what fairlead must say to it: what is wrong, where, and what to do."""

from typing import NamedTuple


class Mistake(NamedTuple):
    """One mistake. The texts are those that the user must be shown; "" where there is nothing of that kind to say."""

    #: What the user does.
    does: str
    #: What is wrong.
    cause: str
    #: The setting, file, model, backend, address or variable that is meant.
    place: str
    #: The command or the change that helps.
    command: str

    def check(self, *shown: str) -> None:
        """Assert that what the user was shown, all of it together, holds the texts."""
        text = "\n".join(shown)
        assert self.cause or self.place or self.command, f"nothing is asserted of: {self.does}"
        for name in ("cause", "place", "command"):
            assert getattr(self, name) in text, f"the {name} is not said when a user does: {self.does}\n{text}"
