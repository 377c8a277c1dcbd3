"""A proxy whose configuration is mounted and only read, as in a container."""

import json
import os
import sys

import pytest

from .processes import Proxy, backend, until
from .wire import ask

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX files")

TOKEN = "m" * 40


def put(folder, number, config, backends):
    """The whole configuration, as a mount changes it: at one moment, by a link."""
    real = folder / f"..{number}"
    real.mkdir()
    for name, data in {"config.toml": config, **backends}.items():
        (real / name).write_text(data)
        (real / name).chmod(0o400)
    (folder / "..new").symlink_to(real.name)
    os.replace(folder / "..new", folder / "..data")


@pytest.fixture
def mount(tmp_path):
    """A folder with config.toml and backends, both of links."""
    folder = tmp_path / "config"
    (folder / "backends").mkdir(parents=True)
    (folder / "config.toml").symlink_to("..data/config.toml")
    put(folder, 1, "verbose = 1\n", {})
    box = json.dumps(backend("box", "http://127.0.0.1:9"))
    put(folder / "backends", 1, "", {"box.json": box})
    (folder / "backends" / "box.json").symlink_to("..data/box.json")
    return folder


def names(proxy):
    """The names of its backends."""
    found = ask(proxy.port, "/admin/backends", None, proxy.operator()).json()["backends"]
    return [entry["name"] for entry in found]


@pytest.mark.parametrize("way", ["flag", "variable"])
def test_it_is_read_and_never_written(tmp_path, mount, way):
    """By flag or variable: backends are there, a change is taken up, and the operator cannot write there."""
    words = ("--config-dir", str(mount)) if way == "flag" else ()
    settings = {} if way == "flag" else {"FAIRLEAD_CONFIG_DIR": str(mount)}
    with Proxy(tmp_path, *words, settings=settings) as proxy:
        assert "box" in names(proxy)
        added = {"name": "other", "base_url": "http://127.0.0.1:9/v1", "protocols": ["chat"], "key": "sk-1"}
        refused = ask(proxy.port, "/admin/backends", json.dumps(added).encode(), proxy.operator())
        assert refused.status >= 400
        assert "only reads" in refused.json()["error"]["message"]
        (mount / "backends" / "next.json").symlink_to("..data/next.json")
        box, other = (json.dumps(backend(name, "http://127.0.0.1:9")) for name in ("box", "next"))
        put(mount / "backends", 2, "", {"box.json": box, "next.json": other})
        assert until(lambda: "next" in names(proxy))
        assert sorted(os.listdir(mount / "backends")) == ["..1", "..2", "..data", "box.json", "next.json"]
        assert not (proxy.home / "config.toml").exists()


def test_the_token_for_metrics(tmp_path):
    """It reads /metrics and nothing else; a setting that cannot be read keeps the last good one."""
    file = tmp_path / "token"
    file.touch(mode=0o600)
    file.write_text(TOKEN)
    with Proxy(tmp_path, settings={"FAIRLEAD_METRICS_TOKEN": f"file:{file}"}) as proxy:
        bearer = (b"Authorization", b"Bearer " + TOKEN.encode())
        assert ask(proxy.port, "/metrics", None, bearer).status == 200
        assert ask(proxy.port, "/status", None, bearer).status == 401
        assert ask(proxy.port, "/metrics", None, proxy.operator()).status == 200
        file.write_text("n" * 40)
        rotated = (b"Authorization", b"Bearer " + b"n" * 40)
        assert until(lambda: ask(proxy.port, "/metrics", None, rotated).status == 200)
        assert ask(proxy.port, "/metrics", None, bearer).status == 401
