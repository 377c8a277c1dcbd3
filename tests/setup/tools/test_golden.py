"""What is written for each tool, into files of every kind, and that undo gives the same bytes.

golden/TOOL.txt has the files after setup; `FAIRLEAD_WRITE_GOLDEN=1` writes them."""

import os
import re
from pathlib import Path

import pytest

from router.setup import plan as plans
from router.setup.apply import apply_plans
from router.setup.record import SCHEMA, SetupRecord, read_record
from router.setup.state import is_here, read_base, read_state
from router.setup.table import BY_NAME, TOOLS
from router.setup.tool import Model, Place, Target
from router.store.home.home import open_home

from .documents import POPULATED, list_cases

URL = "http://localhost:3456"
MODELS = (
    Model("fast"),
    Model("gpt-x", "GPT X", window=400_000, max_output=128_000, images=True),
    Model("local:7b", window=32_768),
)
GOLDEN = Path(__file__).parent / "golden"
TIME = re.compile(r'"updatedAt": ?"[^"]+"')


def make_target(tool, **changes):
    """A target with three models."""
    target = Target(url=URL, models=MODELS, model=MODELS[0], protocol=tool.protocols[0])
    return target._replace(**changes)


class Machine:
    """A user's folder, and what setup does in it."""

    def __init__(self, folder, name):
        (folder / "user").mkdir()
        self.place = Place({}, folder / "user", "linux")
        self.tool = BY_NAME[name]
        self.home = open_home({"FAIRLEAD_HOME": str(folder / "home")})
        self.main, self.form = self.tool.find_main(self.place)

    def set_up(self, **changes):
        target = make_target(self.tool, **changes)
        record = read_record(self.home, self.tool.name)
        wanted = self.tool.make_changes(target, self.place)
        planned = plans.plan_setup(wanted, record, secret=target.key)
        files = [one.record for one in planned if one.record is not None and one.record.edits]
        made = SetupRecord(
            schema=SCHEMA,
            tool=self.tool.name,
            version="",
            time=0.0,
            url=target.url,
            model=target.model.name,
            files=files,
        )
        apply_plans(self.home, self.tool.name, planned, made)

    def undo(self):
        apply_plans(self.home, self.tool.name, plans.plan_undo(read_record(self.home, self.tool.name)), None)

    def read_state(self):
        return read_state(self.tool, self.place, URL, read_record(self.home, self.tool.name))

    def list_files(self):
        """Path below the user's folder -> bytes."""
        files = [one for one in self.place.home.rglob("*") if not one.is_dir()]
        return {str(one.relative_to(self.place.home)): one.read_bytes() for one in sorted(files)}


@pytest.mark.parametrize("name", POPULATED)
def test_files(tmp_path, name):
    """Each kind of file after setup is as the golden one; after undo it is what it was, and what was made is gone."""
    shown = []
    tool = BY_NAME[name]
    form = tool.find_main(Place({}, tmp_path, "linux"))[1]
    for number, (case, before) in enumerate(list_cases(name, form).items()):
        (tmp_path / str(number)).mkdir()
        machine = Machine(tmp_path / str(number), name)
        if before is not None:
            machine.main.parent.mkdir(parents=True, exist_ok=True)
            machine.main.write_bytes(before)
        start = machine.list_files()
        assert machine.read_state().kind == ("not set" if case != "bom" else machine.read_state().kind)
        machine.set_up()
        files = machine.list_files()
        for path, data in files.items():
            text = data.decode().replace("\r", "<CR>").replace("\ufeff", "<BOM>")
            shown.append(f"=== {case}: {path}\n{TIME.sub('<TIME>', text)}\n")
        assert machine.read_state() == ("here", URL, True, "")
        if name != "goose":
            assert is_here(read_base(tool, machine.place), URL)
        machine.set_up()
        assert machine.list_files() == files, "again changes nothing"
        machine.undo()
        assert machine.list_files() == start, case
        assert [one for one in machine.place.home.rglob("*") if one.is_dir() and not any(one.iterdir())] == []
    _compare(GOLDEN / f"{name}.txt", "".join(shown))


def _compare(path, text):
    if os.environ.get("FAIRLEAD_WRITE_GOLDEN"):
        path.write_text(text)
    assert text == path.read_text()


VARIANTS = {
    "chosen": {"model": MODELS[1], "chosen": True},
    "key": {"key": "fl-key-of-the-client"},
    "login": {"login": frozenset(("messages", "responses"))},
    "login and key": {"login": frozenset(("messages", "responses")), "key": "fl-key-of-the-client"},
    "key command": {"key": "fl-key-of-the-client", "key_command": ("fairlead", "keys", "print", "TOOL")},
    "proxy set": {"no_proxy": "localhost,127.0.0.1,::1"},
}


@pytest.mark.parametrize("name", POPULATED)
def test_variants(tmp_path, name):
    """A model that the user named, a key, a login that is kept, each protocol: as the golden files, and undone."""
    tool, shown = BY_NAME[name], []
    variants = {**VARIANTS, **{f"protocol {one}": {"protocol": one} for one in tool.protocols[1:]}}
    for number, (case, changes) in enumerate(variants.items()):
        (tmp_path / str(number)).mkdir()
        machine = Machine(tmp_path / str(number), name)
        machine.set_up(**changes)
        for path, data in machine.list_files().items():
            shown.append(f"=== {case}: {path}\n{TIME.sub('<TIME>', data.decode())}\n")
        machine.undo()
        assert list(machine.place.home.iterdir()) == []
    _compare(GOLDEN / f"{name}-variants.txt", "".join(shown))


@pytest.mark.parametrize("name", POPULATED)
def test_another_url_takes_the_place_of_the_first(tmp_path, name):
    """Set up twice, undone once: what was there before both."""
    machine = Machine(tmp_path, name)
    machine.main.parent.mkdir(parents=True, exist_ok=True)
    machine.main.write_text(POPULATED[name])
    start = machine.list_files()
    machine.set_up(url="http://localhost:9")
    assert machine.read_state().kind == "elsewhere"
    machine.set_up()
    assert machine.read_state().kind == "here"
    assert b"localhost:9" not in b"".join(machine.list_files().values())
    machine.undo()
    assert machine.list_files() == start


def test_every_tool_is_complete():
    """Each has a source, and either a file with golden ones or a reason."""
    for tool in TOOLS:
        assert tool.source
        if tool.make_changes is None:
            assert tool.obstacle
            assert tool.remedy
        else:
            assert tool.name in POPULATED
            assert tool.protocols
            assert tool.read_base is not None
