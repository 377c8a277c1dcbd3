"""How a setting is changed on the screen: a value is asked for, what it changes is shown, and only then it is saved."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from router.cli.tui.picture import Line, Plan, Setting
from router.cli.tui.watcher import Watcher

_EXAMPLE = "aliases.fast groq:llama-3.3-70b-versatile"


class _Say(Protocol):
    def __call__(self, text: str, kind: str = "") -> None: ...


class SettingChange:
    """Asks, and has the watcher plan and save. ask, say, decide: those of the app."""

    def __init__(
        self,
        watcher: Watcher,
        *,
        ask: Callable[[str, str, Callable[[str], bool]], None],
        say: _Say,
        decide: Callable[[str, Sequence[Line], Callable[[], None]], None],
    ):
        self._watcher, self._ask, self._say, self._decide = watcher, ask, say, decide

    def ask_value(self, setting: Setting) -> None:
        """Ask for a new value of a setting."""

        def take(text: str) -> bool:
            self.plan(setting.key, text)
            return True

        value = "" if setting.value in ("unset", "set") else setting.value
        self._ask(f"{setting.key}: a new value", value, take)

    def ask_new(self) -> None:
        """Ask for a key that has no line yet, and its value."""

        def take(text: str) -> bool:
            key, _, value = text.strip().partition(" ")
            if not value.strip():
                self._say(f"A key and a value, such as: {_EXAMPLE}", "bad")
                return False
            self.plan(key, value.strip())
            return True

        self._ask(f"key and value, such as: {_EXAMPLE}", "", take)

    def plan(self, key: str, value: str | None) -> None:
        """Have a change checked, then show it. value: None to take the key out of the file."""
        self._watcher.ask(lambda source: source.plan(key, value), self._confirm)

    def _confirm(self, plan: Plan) -> None:
        lines = [Line("config.toml", "title"), *plan.diff, Line(""), Line("y saves it, Esc leaves it as it is.")]
        self._decide(plan.key, lines, lambda: self._watcher.ask(lambda source: source.save(plan), self._tell))

    def _tell(self, lines: Any) -> None:
        self._say(" ".join(lines))
