"""The check of keys: whether the process that needs them can have them."""

import pytest

from .conftest import needs_modes

BASE = ("--base-url", "http://127.0.0.1:1", "--protocols", "chat")


@pytest.fixture
def add(fairlead):
    """Adds a backend with a key."""

    def add_backend(name, *words, key=""):
        fairlead("backend", "add", name, *BASE, *words, stdin=key)
        assert fairlead.backend(name)

    return add_backend


def judge(examine, **environ):
    return [(row["status"], row["text"], row["fix"]) for row in examine("secrets", **environ).find("secrets")]


def test_keys_that_can_be_had(add, fairlead, examine):
    """Of every kind, with a proxy or without one."""
    assert judge(examine) == []
    (fairlead.folder / "key").write_text("sk-in-a-file-1")
    (fairlead.folder / "key").chmod(0o600)
    add("one", "--key-stdin", key="sk-stored-1")
    add("two", "--key-env", "TWO_KEY")
    add("three", "--key-file", str(fairlead.folder / "key"))
    add("four", "--key-cmd", "/bin/echo sk-printed-1")
    add("five", "--no-key")
    assert judge(examine, TWO_KEY="sk-two-0001") == [("ok", "4 keys can be had", None)]
    fairlead.start("proxy", "--port", "0", TWO_KEY="sk-two-0001")
    assert judge(examine, TWO_KEY="sk-two-0001") == [("ok", "4 keys can be had", None)]


def test_a_variable_that_is_set_nowhere(add, fairlead, examine):
    """It warns while no proxy runs, since it may be set where one is started; else requests fail."""
    add("box", "--key-env", "BOX_KEY")
    ((status, text, fix),) = judge(examine)
    assert (status, text) == ("warn", "box/default: $BOX_KEY is not set.")
    assert fix.startswith("Start the proxy from a shell that has the provider's key, or store it: ")
    fairlead.start("proxy", "--port", "0")
    assert [status for status, _, _ in judge(examine)] == ["fail"]


def test_a_variable_of_this_shell_alone(add, fairlead, examine):
    """The proxy was started elsewhere, or before."""
    add("box", "--key-env", "BOX_KEY")
    fairlead.start("proxy", "--port", "0")
    ((status, text, fix),) = judge(examine, BOX_KEY="sk-box-00001")
    assert (status, text) == ("warn", "box/default: $BOX_KEY is set in this shell, and not where the proxy runs")
    assert fix == "Start the proxy anew from this shell: fairlead stop, then fairlead proxy --detach"


def test_a_variable_of_the_proxy_alone(add, fairlead, examine):
    """That serves, as with a service that has a file of variables."""
    add("box", "--key-env", "BOX_KEY")
    fairlead.start("proxy", "--port", "0", BOX_KEY="sk-box-00001")
    assert judge(examine) == [("info", "box/default: $BOX_KEY is set where the proxy runs, not here", None)]


def test_one_key_of_two_accounts(add, fairlead, examine):
    """Its limits would be counted twice; the key itself is not shown."""
    add("box", "--key-stdin", key="sk-the-same-1")
    fairlead("accounts", "add", "box", "second", "--key-stdin", stdin="sk-the-same-1")
    ((status, text, fix),) = judge(examine)
    assert (status, text) == (
        "warn",
        "box/default and box/second have the same key, so that its limits are counted twice",
    )
    assert fix == "Remove one: fairlead accounts remove box second"


AWS = {"AWS_ACCESS_KEY_ID": "AKIAX", "AWS_SECRET_ACCESS_KEY": "secret-canary-01234567890123456789"}


def test_a_key_of_a_cloud_that_can_be_had(add, fairlead, examine):
    """Bedrock's is made on the spot; nothing that it was made of is shown."""
    add("box", "--key-cloud", "aws:bedrock/work@us-east-1")
    (fairlead.folder / ".aws").mkdir()
    file = fairlead.folder / ".aws" / "credentials"
    file.write_text("[work]\naws_access_key_id = AKIAX\naws_secret_access_key = secret-canary-0123456789\n")
    file.chmod(0o600)
    assert judge(examine) == [("ok", "1 key can be had", None)]


@pytest.mark.parametrize(
    ("source", "environ", "said", "fix"),
    [
        ("aws:bedrock", AWS, "names no AWS region", "--key-cloud aws:bedrock@REGION"),
        ("aws:bedrock@us-east-1", {}, "no profile default in ~/.aws/credentials", "aws configure"),
        ("aws:bedrock/work@us-east-1", AWS, "no profile work", "export-credentials --format process --profile work"),
        ("google:adc", {}, "does not exist", "gcloud auth application-default print-access-token"),
        (
            "google:/nowhere/robot.json",
            {},
            "/nowhere/robot.json does not exist",
            "gcloud auth application-default login",
        ),
    ],
)
def test_a_key_of_a_cloud_that_cannot_be_had(add, examine, source, environ, said, fix):
    """The reason, and the command that repairs it."""
    add("box", "--key-cloud", source)
    ((status, text, advice),) = judge(examine, **environ)
    assert status == "fail"
    assert text.startswith("box/default: ")
    assert said in text
    assert fix in advice
    assert "canary" not in text + advice


@needs_modes
def test_a_file_that_others_can_read(add, fairlead, examine):
    """It is refused, with the command that closes it."""
    path = fairlead.folder / "key"
    path.write_text("sk-in-a-file-1")
    path.chmod(0o600)
    add("box", "--key-file", str(path))
    path.chmod(0o644)
    ((status, text, fix),) = judge(examine)
    assert (status, text) == ("fail", "box/default: ~/key can be read by others (mode 0644); it holds a secret.")
    assert "chmod 600 ~/key" in fix
    path.unlink()
    ((status, text, _),) = judge(examine)
    assert (status, text) == ("fail", "box/default: the key file ~/key does not exist.")


@pytest.mark.parametrize("command", ["/bin/false", "/nowhere/at-all", "/bin/echo"])
def test_a_command_that_gives_none(add, examine, command):
    """It says how the command ended."""
    add("box", "--key-cmd", command)
    ((status, text, fix),) = judge(examine)
    assert status == "fail"
    assert command.rpartition("/")[2] in text
    assert fix


def test_fairleads_own_key(add, examine):
    """A variable that `fairlead env` has overwritten."""
    add("box", "--key-env", "OPENAI_API_KEY")
    ((status, text, _),) = judge(examine, OPENAI_API_KEY="fairlead")
    assert status in ("warn", "fail")
    assert "overwritten by `fairlead env`" in text


def test_disabled_backends_need_none(add, fairlead, examine):
    """They take no requests."""
    add("box", "--key-env", "BOX_KEY")
    fairlead("backend", "disable", "box")
    assert judge(examine) == []
