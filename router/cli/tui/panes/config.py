"""Config: every setting with its value and where that comes from; one is changed as `fairlead config set` does it."""

from router.cli.tui.panes.pane import Pane
from router.cli.tui.picture import Line, Picture, Setting
from router.settings.kinds import clean

_KEY, _VALUE = 32, 24


class ConfigPane(Pane):
    """The settings."""

    TITLE = "Config"
    HINTS = "/ filter   Enter change   n new   d unset   ? keys   q leave"
    FILTERS = True

    def __init__(self) -> None:
        super().__init__(cursor=True)
        self._text = ""

    def filter(self, text: str) -> None:
        """Show the settings whose line holds these words."""
        self._text = text.strip()
        self.at = self.top = 0
        self.redraw()

    def draw(self, picture: Picture) -> None:
        """Put the settings."""
        words = self._text.lower().split()
        rows = [one for one in picture.settings if all(word in " ".join(one).lower() for word in words)]
        head = [Line(f" {'setting':<{_KEY}} {'value':<{_VALUE}} from", "head")]
        if self._text:
            head.insert(0, Line(f" {len(rows):,} of {len(picture.settings):,}   / {self._text}", "dim"))
        if picture.config_problem:
            head.insert(0, Line(f" {clean(picture.config_problem, 300)}", "bad"))
        self.put(rows, _format, key=lambda one: one.key, head=head)


def _format(one: Setting) -> Line:
    value = one.value if len(one.value) <= _VALUE else f"{one.value[: _VALUE - 1]}…"
    return Line(f" {one.key:<{_KEY}} {value:<{_VALUE}} {one.source}", "" if one.source != "default" else "dim")
