"""How a run of the tests is set up: what all workers import, which of them runs what, and what each test costs."""

import contextlib
import gc
import importlib
import itertools
import os
import re
from pathlib import Path

import pytest

_TESTS = Path(__file__).parent
#: Folders of tests that start programs or wait for deadlines of real clocks, and the part of a run in which they begin.
_WAITING = frozenset(("attacks", "cli", "demo", "e2e", "installation", "login", "mistakes", "packaging", "store"))
_EARLY = 0.85
_numbers = itertools.count(1)


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session):
    """Share out the compiling of test modules: all workers import all of them, and in the same order each would
    compile what the others compile at that moment. What cannot be imported here, collection reports, or skips."""
    # Nothing of what is collected is garbage.
    gc.disable()
    worker = getattr(session.config, "workerinput", None)
    root = session.config.rootpath
    if worker is None or [Path(arg) for arg in session.config.args] not in ([Path("tests")], [root / "tests"]):
        return
    modules = sorted((root / "tests").rglob("test_*.py"))
    for path in modules[int(worker["workerid"].removeprefix("gw")) :: worker["workercount"]]:
        with contextlib.suppress(Exception, pytest.skip.Exception):
            importlib.import_module(".".join(path.relative_to(root).with_suffix("").parts))


def pytest_collection_finish(session):
    """Keep the tests and all modules out of every later search for garbage: they are some million objects, and live to
    the end."""
    gc.enable()
    gc.collect()
    gc.freeze()


def pytest_configure(config):
    """Have files given to workers in the order that is made below, and not by the number of their tests."""
    if hasattr(config.option, "loadscopereorder"):
        config.option.loadscopereorder = False


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config, items):
    """Give workers files whose tests wait beside files whose tests compute, of each kind those with most tests first.
    The files that wait come a little earlier: at the end, when nothing else is left to do, no worker has a long one."""
    if not hasattr(config, "workerinput"):
        return
    files = {}
    for item in items:
        files.setdefault(item.path, []).append(item)
    kinds = {True: [], False: []}
    for path in sorted(files, key=lambda path: -len(files[path])):
        kinds[path.parent.is_relative_to(_TESTS) and path.relative_to(_TESTS).parts[0] in _WAITING].append(path)
    places = {}
    for waits, found in kinds.items():
        places |= {path: at / len(found) * (_EARLY if waits else 1) for at, path in enumerate(found)}
    items[:] = [item for path in sorted(files, key=lambda path: (places[path], path)) for item in files[path]]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers():
    """Three for each processor: tests of programs wait most of their time, for deadlines and child processes."""
    return 3 * (os.cpu_count() or 1)


@pytest.fixture
def tmp_path(request, tmp_path_factory):
    """A folder of its own. Pytest's fixture reads the names of all earlier tests' folders to number the next."""
    name = re.sub(r"\W", "_", request.node.name)[:30]
    folder = tmp_path_factory.getbasetemp() / f"{next(_numbers)}-{name}"
    folder.mkdir(0o700)
    return folder
