"""Backends on disk."""

import json
import sys

import msgspec
import pytest

from router import __version__
from router.backends import Account, Backend
from router.errors import CommandError
from router.store.config import backends

GROQ = Backend(
    name="groq",
    root="https://api.groq.com/openai/v1",
    protocols=("chat", "responses"),
    vendor="groq",
    accounts=(Account("default", "env:GROQ_API_KEY"),),
    added=2.0,
)


def put(home, **changes):
    """Write groq's file with some fields changed, as a user's editor would."""
    fields = {**msgspec.to_builtins(GROQ), "schema": 1, **changes}
    home.write("backends/groq.json", json.dumps(fields).encode())


def test_backend_comes_back_as_it_was_saved(home):
    """What is saved is what is loaded, in the order the backends were added."""
    other = msgspec.structs.replace(GROQ, name="another", added=1.0, insecure_http=True, auth="none", accounts=())
    further = {"roots": {"messages": "https://api.groq.com/anthropic/v1"}, "variables": {"region": "r"}}
    other = msgspec.structs.replace(other, **further, auth_header="x-api-key")
    backends.save(home, GROQ)
    backends.save(home, other)
    assert backends.load(home) == ((other, GROQ), ())
    assert type(backends.find(home, "groq")) is Backend
    assert backends.find(home, "nobody") is None


def test_file_names_its_schema_and_writer(home):
    """A file says which schema it has and which version wrote it."""
    backends.save(home, GROQ)
    stored = json.loads(home.read("backends/groq.json"))
    assert (stored["schema"], stored["fairlead"]) == (1, __version__)


def test_unknown_keys_are_ignored(home):
    """A key this version does not know does no harm."""
    put(home, note="mine")
    assert backends.load(home) == ((GROQ,), ())


def test_a_file_of_an_earlier_version_is_read(home):
    """One without further roots, variables and a chosen header for the key means what it meant."""
    fields = msgspec.to_builtins(GROQ)
    for name in ("roots", "variables", "auth_header"):
        del fields[name]
    home.write("backends/groq.json", json.dumps({**fields, "schema": 1}).encode())
    assert backends.load(home) == ((GROQ,), ())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"root": 5}, "root: expected str, got int"),
        ({"auth": "magic"}, "auth: invalid enum value 'magic'"),
        ({"accounts": [{"alias": "a"}]}, r"accounts\[0\]: object missing required field key"),
        ({"roots": {"messages": "https://other.example/v1"}}, "roots.messages is not a URL on the host of root"),
        ({"roots": {"messages": "http://api.groq.com/v1"}}, "roots.messages is not a URL on the host of root"),
        ({"roots": {"messages": "https://api.groq.com/v1/"}}, "roots.messages is not a URL on the host of root"),
        ({"roots": {"messages": "api.groq.com"}}, "roots.messages is not a URL on the host of root"),
        ({"auth_header": "basic"}, "auth_header: invalid enum value 'basic'"),
        ({"root": "groq"}, "root is not a valid URL: it does not begin with https://"),
        ({"root": "https://API.groq.com/v1/"}, "root is not written as https://api.groq.com/v1"),
        ({"root": "http://api.groq.com/v1"}, "http:// to a public address"),
        ({"protocols": []}, "protocols must be some of messages, chat, responses"),
        ({"protocols": ["smoke"]}, "protocols must be some of"),
        ({"name": "grok"}, 'name is "grok", unlike the file\'s'),
        ({"accounts": [{"alias": "a", "key": "1"}] * 2}, "two accounts have the same alias"),
        ({"accounts": [{"alias": "No", "key": "1"}]}, r"accounts\[0\].alias is not in lower case"),
        ({"accounts": [{"alias": "a b", "key": "1"}]}, r"accounts\[0\]: .* cannot be an account's name"),
        ({"accounts": [{"alias": "client", "key": "1"}]}, r"accounts\[0\]: .* cannot be an account's name"),
        ({"accounts": [{"alias": "a", "key": ["pass"]}]}, r"accounts\[0\].key: expected str, got array"),
        ({"accounts": [{"alias": "a", "key": "cmd:pass show x | head"}]}, r"accounts\[0\]: .* not a JSON list"),
        ({"accounts": [{"alias": "a", "key": "file:key.txt"}]}, r"accounts\[0\]: .* expected an absolute one"),
        (
            {"accounts": [{"alias": "a", "key": "1"}, {"alias": "b", "key": "keyring:x"}]},
            r"accounts\[1\]: .*SERVICE/USER",
        ),
        ({"accounts": {"a": "1"}}, "accounts: expected array, got object"),
        ({"enabled": "no"}, "enabled: expected bool, got str"),
        ({"schema": "one"}, "schema: expected int, got str"),
        ({"schema": None}, "schema: expected int, got null"),
    ],
)
def test_malformed_field_is_named(home, changes, fault):
    """A bad field is a problem that names file and field; the other backends load."""
    put(home, **changes)
    other = msgspec.structs.replace(GROQ, name="another")
    backends.save(home, other)
    loaded, problems = backends.load(home)
    assert loaded == (other,)
    [problem] = problems
    assert problem.name == "groq"
    with pytest.raises(CommandError, match=fault) as refused:
        backends.find(home, "groq")
    assert "groq.json" in str(refused.value)
    assert str(refused.value) == problem.message


@pytest.mark.parametrize(
    ("content", "place"),
    [(b'{\n  "schema": 1,\n  "name": groq\n}', "line 3, column"), (b"", "invalid JSON"), (b"\xff{}", "invalid JSON")],
)
def test_what_is_not_json_is_named_with_its_place(home, content, place):
    """A file that is no JSON is a problem with line and column where they are known."""
    home.write("backends/groq.json", content)
    _, [problem] = backends.load(home)
    assert place in problem.message
    assert "groq.json" in problem.message


def test_deep_nesting_is_a_problem_too(home):
    """A file nested beyond reason does not end the proxy."""
    home.write("backends/groq.json", b'{"schema":' + b"[" * 100_000)
    loaded, problems = backends.load(home)
    assert (loaded, len(problems)) == ((), 1)


def test_newer_file_says_who_wrote_it(home):
    """A file of a newer schema is refused, naming the version that wrote it."""
    put(home, schema=2, fairlead="9.1.0", root=["changed", "meaning"])
    _, [problem] = backends.load(home)
    assert "was written by fairlead 9.1.0 (schema 2)" in problem.message
    assert f"this is fairlead {__version__}, which reads schema 1" in problem.message


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_file_others_can_read_is_a_problem_with_its_fix(home):
    """A backend file whose key others could read is not used, and the problem names the fix."""
    backends.save(home, GROQ)
    home.at("backends/groq.json").chmod(0o644)
    _, [problem] = backends.load(home)
    assert "can be read by others (mode 0644)" in problem.message
    assert "chmod 600" in problem.hint


@pytest.mark.parametrize("name", ["", "-a", "a b", "a/b", "../a", "a.b", "é", "x" * 65, "demo", "DEMO"])
def test_bad_name_is_refused(name):
    """A name that could not be a file, a prefix or a word of its own is refused."""
    with pytest.raises(CommandError):
        backends.check_name(name)


@pytest.mark.parametrize("alias", ["", "-a", "a b", "a/b", "é", "x" * 65, "client", "NONE", "a\n"])
def test_bad_alias_is_refused(alias):
    """An account's name is a word, and none that answers use for something else."""
    with pytest.raises(CommandError):
        backends.check_alias(alias)
    assert backends.check_alias("Work.eu-1_a") == "work.eu-1_a"


def test_name_is_lower_case():
    """Names are taken in any case and kept in lower case."""
    assert backends.check_name("My_Groq-2") == "my_groq-2"


def test_malformed_file_can_be_removed(home):
    """Removing works on what cannot be read, and says when there was nothing."""
    home.write("backends/groq.json", b"{")
    assert backends.remove(home, "groq")
    assert not backends.remove(home, "groq")
    assert backends.load(home) == ((), ())


def test_change_is_made_on_what_is_there(home):
    """`change` passes the backend as it is under the lock; a change that is refused changes nothing."""
    assert backends.change(home, "groq", lambda before: GROQ if before is None else None) == GROQ
    changed = backends.change(home, "groq", lambda before: msgspec.structs.replace(before, enabled=False))
    assert changed == backends.find(home, "groq") == msgspec.structs.replace(GROQ, enabled=False)

    def refuse(before):
        assert before == changed
        raise CommandError("no")

    with pytest.raises(CommandError, match="no"):
        backends.change(home, "groq", refuse)
    assert backends.find(home, "groq") == changed
    # The lock is free again.
    assert backends.change(home, "groq", lambda before: before) == changed


def test_replace_undoes_nobody(home):
    """A backend that was changed after it was read is not replaced; one that cannot be read is."""
    backends.save(home, GROQ)
    with pytest.raises(CommandError, match="another command changed groq meanwhile"):
        backends.replace(home, None, GROQ)
    backends.replace(home, GROQ, msgspec.structs.replace(GROQ, enabled=False))
    assert backends.find(home, "groq").enabled is False
    home.write("backends/groq.json", b"{")
    backends.replace(home, backends.present(home, "groq"), GROQ)
    assert backends.find(home, "groq") == GROQ


def test_discard_gives_what_it_was(home):
    """Whether it was there, and what it was when it could be read."""
    backends.save(home, GROQ)
    assert backends.discard(home, "groq") == (True, GROQ)
    assert backends.discard(home, "groq") == (False, None)
    home.write("backends/groq.json", b"{")
    assert backends.discard(home, "groq") == (True, None)


@pytest.mark.parametrize("text", ["\x1b[31m", "\u202e", "x" * 5000])
def test_bad_names_are_shown_safely(text):
    """A message that repeats a name has no control character and stays short."""
    for check in (backends.check_name, backends.check_alias):
        with pytest.raises(CommandError) as caught:
            check(text)
        assert str(caught.value).isprintable()
        assert len(str(caught.value)) < 400
