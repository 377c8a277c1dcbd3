"""What the watcher's thread tells the app, as messages that wait for their turn."""

from collections.abc import Callable
from typing import Any

from textual.message import Message

from router.cli.tui.picture import Picture


class Pictured(Message):
    """A picture came."""

    def __init__(self, picture: Picture):
        super().__init__()
        self.picture = picture


class Told(Message):
    """A job is done."""

    def __init__(self, then: Callable[[Any], None], came: object):
        super().__init__()
        self.then, self.came = then, came


class Failed(Message):
    """The watcher found a defect of the program."""

    def __init__(self, error: Exception):
        super().__init__()
        self.error = error
