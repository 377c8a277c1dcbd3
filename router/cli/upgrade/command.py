"""`fairlead upgrade`: look for another release, install it, go back to the one before."""

import argparse
import datetime
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from router.cli.common.layout import note, print_json, say
from router.cli.common.output import read_settings
from router.cli.common.parser import Parser
from router.cli.upgrade.progress import Progress, format_megabytes
from router.cli.upgrade.proxies import describe_restarts, list_running_versions, restart_proxies
from router.errors import CommandError, UsageError
from router.host.child_process import CompletedProgram, run_program
from router.host.event_loop import run_async
from router.installation.detect import Copy, Installation, detect, find_copy
from router.installation.upgrade import release_keys
from router.installation.upgrade.known_release import remember_release
from router.installation.upgrade.manifest import Release
from router.installation.upgrade.minisign import SIGNATURE_LIMIT
from router.installation.upgrade.past_current import Bypass, find_bypasses
from router.installation.upgrade.release import (
    MANIFEST_LIMIT,
    check_installable,
    choose_file,
    has_expired,
    is_newer,
    parse_version,
    read_release,
)
from router.installation.upgrade.source import Source, make_source
from router.installation.upgrade.steps import Target, Tools, install, make_target, roll_back
from router.installation.upgrade.system import find_system
from router.installation.upgrade.trial import Trial
from router.installation.upgrade.versions import CURRENT, PROGRAM
from router.net.client.outbound import Outbound, read_outbound
from router.net.control.download import download
from router.net.control.request import ControlError
from router.settings import Settings
from router.settings.kinds import clean
from router.store.home.home import Home, open_home
from router.store.home.permissions import shown

#: For release.json and for its signature, each; for a program.
DESCRIPTION_SECONDS, PROGRAM_SECONDS = 60.0, 1800.0


def run(argv: list[str]) -> int:
    """Look, install or go back; exit code 0 also where a package manager does it."""
    parser = Parser(
        "upgrade",
        "Install the newest release: it is downloaded, verified and tried before it takes the place of this version, "
        "which is kept. A copy that a package manager installed is left to it: its command is printed.",
        examples=["fairlead upgrade --check", "fairlead upgrade", "fairlead upgrade --rollback"],
    )
    parser.add_argument("--check", action="store_true", help="only look whether there is a newer release")
    parser.add_argument("--to", metavar="VERSION", help="install this version, also an older one")
    parser.add_argument("--rollback", action="store_true", help="go back to the version before; nothing is downloaded")
    parser.add_argument("--json", action="store_true", help="print what was found and done as JSON")
    options = parser.read(argv)
    if options.rollback and (options.check or options.to):
        raise UsageError("--rollback goes back to the version before, and takes neither --check nor --to.")
    if options.to is not None:
        options.to = options.to.removeprefix("v")
        if parse_version(options.to) is None:
            raise UsageError(f'--to is "{options.to}"; expected a version such as 0.3.0.')
    home = open_home(os.environ)
    copy = find_copy(os.environ)
    installation = detect(copy)
    if installation.own:
        target = make_target(installation, copy.form, copy.program, find_data_folder(os.environ))
    else:
        target = None
    upgrade = _Upgrade(options, home, copy, installation, target)
    if options.check:
        return upgrade.check()
    if target is None:
        return upgrade.name_command()
    return upgrade.go_back(target) if options.rollback else upgrade.install(target)


def find_data_folder(environ: Mapping[str, str]) -> Path:
    """The user's folder for the data of programs. Raises CommandError."""
    if sys.platform == "win32":
        named = environ.get("LOCALAPPDATA", "")
    else:
        named = environ.get("XDG_DATA_HOME", "")
        if not os.path.isabs(named):
            named = os.path.join(os.path.expanduser("~"), ".local", "share")
    if not os.path.isabs(named):
        raise CommandError("this user has no folder for the data of programs.", "Set XDG_DATA_HOME to a path.")
    return Path(named)


class _Upgrade:
    """One run of the command. target: None where it is another's to replace the program."""

    def __init__(
        self, options: argparse.Namespace, home: Home, copy: Copy, installation: Installation, target: Target | None
    ):
        self._options = options
        self._home = home
        self._copy = copy
        self._installation = installation
        self._current = _find_current(target)
        self._progress = Progress(shown=not options.json and sys.stderr.isatty())

    def check(self) -> int:
        """Say whether there is a newer release."""
        release = self._fetch_release(read_settings(self._home))
        newer = is_newer(release.version, self._current)
        if self._options.to:
            check_installable(release, current=self._current, asked=self._options.to, today=_today())
        if self._options.json:
            return self._print(self._describe(release))
        if has_expired(release, _today()) and not self._options.to:
            note(f"note: this description of the newest release expired on {clean(release.expires)}.")
        if not newer and not self._options.to:
            say(f"{self._current} is installed; the newest release is {release.version}. Nothing to upgrade.")
            return 0
        say(f"{release.version} of {clean(release.date)} is there; {self._current} is installed.")
        say(f"{'Install it' if self._options.to else 'Upgrade'}:   {self._command}")
        return 0

    @property
    def _command(self) -> str:
        """What does what was asked for."""
        found, version = self._installation, self._options.to
        if found.own:
            return f"{found.command} --to {version}" if version else found.command
        if self._options.rollback:
            return found.before
        return found.chosen.replace("VERSION", version) if version else found.command

    def _describe(self, release: Release) -> dict[str, object]:
        """For JSON. latest: None where another was asked for than the newest."""
        latest = None if self._options.to else release.version
        return {"latest": latest, "newer": is_newer(release.version, self._current)}

    def name_command(self) -> int:
        """Print what does it for a copy that is another's."""
        if self._options.json:
            return self._print({"latest": None, "newer": None})
        found, version = self._installation, self._options.to
        known = found.about_chosen if version or self._options.rollback else found.about
        about = f"; {known}" if known else ""
        say(f"fairlead {self._current} was installed by other means ({found.kind}){about}.")
        action = f"Install {version}" if version else "Upgrade it"
        if self._options.rollback:
            named = "VERSION" in self._command
            action = "Go back, with the version that you had for VERSION" if named else "Go back"
        say(f"{action}:   {self._command}")
        for line in describe_restarts(self._home, self._current):
            say(line)
        return 0

    def install(self, target: Target) -> int:
        """Install a release."""
        settings = read_settings(self._home)
        release = self._fetch_release(settings)
        found = self._describe(release)
        check_installable(release, current=self._current, asked=self._options.to or "", today=_today())
        if release.version == self._current:
            if not self._options.json:
                say(f"{self._current} is installed already" + (", the newest." if not self._options.to else "."))
                return 0
            return self._print({**found, "installed": None, "proxies": []})
        system = find_system()
        file = choose_file(release, system, target.form)
        if not self._options.json:
            say(f"{self._current} -> {release.version}   {system}   {format_megabytes(file.size)}")
        url = make_source(settings.upgrade_url).locate(release.version, file.name)
        self._progress.begin(file.size)
        try:
            running, tools = list_running_versions(self._home), self._make_tools(settings)
            install(target, release, file, url, tools, current=self._current, running=running)
        finally:
            self._progress.end()
        if not self._options.json:
            size = format_megabytes(file.size)
            say(f"  downloaded {size}   signature ok   sha256 ok   starts ok")
        return self._finish(target, release.version, found)

    def go_back(self, target: Target) -> int:
        """Go back to the version that was replaced last."""
        # Without the settings: those of the version that is left may be what made it unusable.
        tools = Tools(_refuse_download, self._make_trial(), self._home, self._progress.tell)
        version = roll_back(target, tools, running=list_running_versions(self._home))
        return self._finish(target, version, {"latest": None, "newer": None})

    def _finish(self, target: Target, version: str, found: Mapping[str, object]) -> int:
        """Have proxies run the new version, and say what was done."""
        told = say if not self._options.json else _say_nothing
        told(f"Done: {version} is installed.")
        proxies = run_async(restart_proxies, self._home, version, told)
        told(f"Back to {self._current}:   fairlead upgrade --rollback")
        if target.program is None:
            for bypass in find_bypasses(target.prefix, os.environ):
                note("\n      ".join(_describe_bypass(bypass, target.prefix)))
        if self._options.json:
            return self._print({**found, "installed": version, "proxies": proxies})
        return 0

    def _fetch_release(self, settings: Settings) -> Release:
        """The signed description of the release that was asked for. Raises CommandError."""
        source, outbound = make_source(settings.upgrade_url), read_outbound(settings, os.environ)
        version = self._options.to or ""
        texts: list[bytes] = []
        for name, limit in (("release.json", MANIFEST_LIMIT), ("release.json.minisig", SIGNATURE_LIMIT)):
            parts: list[bytes] = []
            _download(source, outbound, source.locate(version, name), parts.append, limit, seconds=DESCRIPTION_SECONDS)
            texts.append(b"".join(parts))
        release = read_release(texts[0], texts[1], release_keys.PUBLIC_KEYS)
        if not version:
            remember_release(self._home, release)
        return release

    def _make_tools(self, settings: Settings) -> Tools:
        source, outbound = make_source(settings.upgrade_url), read_outbound(settings, os.environ)

        def fetch(url: str, write: Callable[[bytes], None], limit: int) -> None:
            def count(data: bytes) -> None:
                write(data)
                self._progress.add(len(data))

            _download(source, outbound, url, count, limit, seconds=PROGRAM_SECONDS)

        return Tools(fetch, self._make_trial(), self._home, self._progress.tell)

    def _make_trial(self) -> Trial:
        def run_one(words: Sequence[str], environ: Mapping[str, str], seconds: float, limit: int) -> CompletedProgram:
            async def start() -> CompletedProgram:
                return await run_program(words, environ, seconds=seconds, limit=limit)

            return run_async(start)

        return Trial(run_one, os.environ)

    def _print(self, found: Mapping[str, object]) -> int:
        print_json({"current": self._current, **found, "command": self._command})
        return 0


def _describe_bypass(bypass: Bypass, prefix: Path) -> list[str]:
    """What a program on PATH that leads past `current` does, and what to do about it."""
    current = prefix / CURRENT
    does = f"note: {shown(bypass.place)} starts {bypass.version} whatever is installed: it leads past {shown(current)}."
    if bypass.link and sys.platform != "win32":
        program, place = shlex.quote(str(current / PROGRAM)), shlex.quote(str(bypass.place))
        return [does, f"Link it anew:   ln -sf {program} {place}"]
    return [does, f"Put {shown(current)} on your PATH in the place of {shown(bypass.place.parent)}."]


def _find_current(target: Target | None) -> str:
    from router import __version__

    return target.current if target is not None else __version__


def _download(
    source: Source, outbound: Outbound, url: str, write: Callable[[bytes], None], limit: int, *, seconds: float
) -> None:
    async def fetch() -> None:
        await download(url, write, limit=limit, trusted=source.trusts, outbound=outbound, timeout=seconds)

    try:
        run_async(fetch)
    except ControlError as error:
        missing = error.status == 404
        raise CommandError(
            f"the release could not be downloaded from {url}: {error}.",
            f"There is no such release at {source.base}." if missing else "Nothing was changed.",
        ) from None


def _refuse_download(url: str, write: Callable[[bytes], None], limit: int) -> None:
    raise AssertionError("going back downloads nothing")


def _today() -> datetime.date:
    return datetime.datetime.now(datetime.UTC).date()


def _say_nothing(_: str) -> None:
    """In the place of `say` where JSON is printed."""
