"""Whether clients must send a key, and which."""

import pytest

from router.errors import CommandError
from router.settings import Secret, load
from router.store.home import client_key as module
from router.store.home.client_key import check, client_key, explain_auto, in_container, is_loopback, list_watched
from router.store.keys import client_keys

KEY = "k" * 32


def settings(**values):
    return load({f"FAIRLEAD_{name.upper()}": value for name, value in values.items()}, {})


def asked(home, *, contained=False, shared=False, **values):
    return client_key(settings(**values), home, contained=lambda: contained, shared=lambda: shared)


def test_no_key_on_a_machine_of_ones_own(home):
    """On loopback of a machine without other users, clients need no key and none is made."""
    assert asked(home) is None
    assert not home.at("client.key").exists()


@pytest.mark.parametrize("where", [{"contained": True}, {"shared": True}, {"require_key": "on"}])
def test_key_is_made_where_others_could_reach_the_port(home, where):
    """In a container, on a shared machine or when configured, the home's own key is required."""
    assert asked(home, **where) == home.token("client.key")


def test_configured_key_is_asked_for(home):
    """A key that is configured is the required one, everywhere."""
    assert asked(home, api_key="mine") == Secret("mine")
    assert asked(home, api_key="mine", shared=True) == Secret("mine")


def test_key_can_be_switched_off(home):
    """With require_key = off no key is required."""
    assert asked(home, require_key="off", api_key="mine", shared=True) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "my-machine"])
def test_off_loopback_needs_a_strong_key(host):
    """Off loopback a key of at least 32 characters is needed, else the proxy refuses to start."""
    with pytest.raises(CommandError, match="which other machines can reach, and no API key is set") as refused:
        check(settings(host=host))
    assert "$FAIRLEAD_API_KEY" in refused.value.hint
    with pytest.raises(CommandError, match="fewer than 32 characters"):
        check(settings(host=host, api_key=KEY[:-1]))
    with pytest.raises(CommandError, match="require_key is off"):
        check(settings(host=host, api_key=KEY, require_key="off"))
    check(settings(host=host, api_key=KEY))


def test_keys_with_names_off_loopback(home):
    """One that somebody has made is enough; that of a tool of this machine is not for others, and beside a weak api_key
    none is enough. Without any, both ways to make one are told. The home's own key is asked for all the same."""
    client_keys.make_tool_key(home, "codex")
    with pytest.raises(CommandError) as refused:
        check(settings(host="::"), named=client_keys.are_there(home))
    assert "fairlead keys add NAME" in refused.value.hint
    client_keys.add_key(home, "laptop")
    check(settings(host="::"), named=client_keys.are_there(home))
    assert asked(home, host="::") == home.token("client.key")
    with pytest.raises(CommandError, match="fewer than 32 characters"):
        check(settings(host="::", api_key=KEY[:-1]), named=True)


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST", "127.0.0.1", "127.0.0.2", "::1", "[::1]"])
def test_loopback_needs_none(host):
    """Loopback names and addresses are known as such."""
    assert is_loopback(host)
    check(settings(host=host))


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (".dockerenv", ""),
        ("run/.containerenv", ""),
        ("proc/1/cgroup", "0::/kubepods/pod1"),
        ("proc/1/cgroup", "3:cpu:/docker/abc"),
    ],
)
def test_container_is_seen(tmp_path, path, text):
    """Docker, Podman and Kubernetes are recognised by what they leave in the file system."""
    assert not in_container(tmp_path, {})
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(text)
    assert in_container(tmp_path, {})


def test_container_names_itself(tmp_path):
    """systemd-nspawn, LXC and Podman set $container; an ordinary control group is no container."""
    (tmp_path / "proc/1").mkdir(parents=True)
    (tmp_path / "proc/1/cgroup").write_text("0::/init.scope\n")
    assert in_container(tmp_path, {"container": "lxc"})
    assert not in_container(tmp_path, {})


def test_reason_is_told_where_other_users_are_one(monkeypatch):
    """Of a key that is asked for by itself alone: one that the user set, or a container, needs no reason."""
    monkeypatch.setattr(module, "describe_other_users", lambda: "sss")
    monkeypatch.setattr(module, "in_container", lambda: False)
    assert explain_auto(settings()) == "sss"
    for values in ({"require_key": "on"}, {"require_key": "off"}, {"api_key": KEY}, {"host": "0.0.0.0"}):
        assert explain_auto(settings(**values)) == ""
        assert list_watched(settings(**values)) == ()
    assert "/etc/passwd" in list_watched(settings())
    monkeypatch.setattr(module, "in_container", lambda: True)
    assert explain_auto(settings()) == ""
