"""`fairlead explain`: where a request would go, asked of the running proxy or found with the files."""

import json

import pytest

from router.conform.card_file import write_card
from router.conform.record import Card, Row
from router.store.home.home import open_home

REQUEST = {
    "model": "model-a",
    "messages": [{"role": "user", "content": "hi"}],
    "stream": True,
    "max_completion_tokens": 9,
}


@pytest.fixture
def configured(fairlead, provider):
    """A home with one backend."""
    done = fairlead("backend", "add", "box", "--base-url", provider.url, "--key-stdin", "--protocols", "chat,messages",
                    stdin="sk-good\n")  # fmt: skip
    assert done.code == 0, done.err
    provider.seen.clear()
    return fairlead


def rows(text):
    """First line, and the named rows below it."""
    first, *rest = text.splitlines()
    return first, {line[2:11].strip(): line[13:] for line in rest}


def test_a_model_with_the_files(configured, provider):
    """Without a proxy the catalogs are read, and nothing is sent to a model."""
    done = configured("explain", "model-a")
    assert (done.code, done.err) == (0, "No proxy is running; this is what one would do with the files as they are.\n")
    assert rows(done.out) == (
        "model-a",
        {
            "protocol": "chat (assumed; --protocol names another)",
            "alias": "none",
            "prefix": "none",
            "backend": "box (catalog), speaks messages, chat",
            "account": "default headroom 100 %",
            "edits": "none",
        },
    )
    assert {path for path, _ in provider.seen} == {"/v1/models"}


def test_a_model_of_the_running_proxy(configured, provider):
    """The proxy's own settings and catalogs decide."""
    configured.start("proxy", "--port", "0", "--model", "box:forced", FAIRLEAD_FAST_MODEL="box:quick")
    provider.seen.clear()
    done = configured("explain", "model-a")
    assert (done.code, done.err) == (0, "")
    assert rows(done.out)[1] == {
        "protocol": "chat (assumed; --protocol names another)",
        "forced": "model-a → box:forced",
        "alias": "none",
        "prefix": "box: (backend box)",
        "backend": "box (prefix), speaks messages, chat",
        "account": "default headroom 100 %",
        "model": "sent as forced",
        "edits": "model renamed by the forced model",
    }
    small = configured("explain", "claude-haiku-4-5", "--protocol", "messages")
    assert rows(small.out)[1]["model"] == "sent as quick"
    assert json.loads(configured("explain", "model-a", "--json").out)["proxy"].startswith("http://localhost:")
    assert {path for path, _ in provider.seen} <= {"/v1/models"}


def test_a_request_from_a_file_and_from_stdin(configured, tmp_path):
    """Its protocol is told from its fields, unless it is given; --json has every step."""
    file = tmp_path / "request.json"
    file.write_text(json.dumps(REQUEST))
    by_file = json.loads(configured("explain", str(file), "--json").out)
    by_stdin = json.loads(configured("explain", "-", "--json", stdin=json.dumps(REQUEST)).out)
    assert by_file == by_stdin
    assert (by_file["protocol"], by_file["assumed"], by_file["backend"], by_file["why"]) == (
        "chat",
        True,
        "box",
        "catalog",
    )
    assert [step["step"] for step in by_file["steps"]] == ["alias", "prefix", "catalog"]
    given = json.loads(configured("explain", str(file), "--json", "--protocol", "messages").out)
    assert (given["protocol"], given["assumed"]) == ("messages", False)
    text = configured("explain", str(file)).out
    assert rows(text)[0] == "model-a"


def test_a_request_that_would_be_refused(configured):
    """Exit code 1, the words of the 404, and what was looked at."""
    done = configured("explain", "model-b")
    assert done.code == 1
    found = rows(done.out)[1]
    assert found["refused"].startswith("404: No backend serves the model 'model-b'. Nearest: model-a (box).")
    assert found["backend"] == "none: in no model list, no provider's family matches, no default_backend"
    answer = json.loads(configured("explain", "model-b", "--json").out)
    assert (answer["status"], answer["backend"]) == (404, "")
    assert configured("explain", "model-a", "--protocol", "responses").code == 0


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "said"),
    [
        ([], "", 2, "required: MODEL|FILE"),
        (["missing.json"], "", 1, "missing.json cannot be read: No such file"),
        (["-"], " \n", 1, "stdin is empty"),
        (["m", "--header", "no colon"], "", 2, "expected NAME: VALUE"),
        (["m", "--header", "x: \u2028"], "", 2, "expected NAME: VALUE"),
        (["m", "--protocol", "smtp"], "", 2, "--protocol"),
        (["m", "--client", "claudecode"], "", 2, "choose from 'claude-code'"),
        (["  "], "", 2, "a model's name or a file"),
    ],
)
def test_mistakes(fairlead, arguments, stdin, code, said):
    """Each names what was expected."""
    done = fairlead("explain", *arguments, stdin=stdin)
    assert (done.code, done.out) == (code, "")
    assert said in done.err


@pytest.mark.parametrize("body", ["[]", "{", "nonsense", '{"model": "x\\u001b[31m"}', '{"messages": []}'])
def test_a_body_that_is_none(configured, body):
    """It is refused as the proxy would refuse it, and nothing in it steers the terminal."""
    done = configured("explain", "-", stdin=body)
    assert done.code == 1
    assert "refused    400: " in done.out
    assert "\x1b" not in done.out


def test_a_model_s_name_does_not_steer_the_terminal(configured):
    """It is shown as literal text."""
    done = configured("explain", "a\x1b[31mb\u202ec")
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out


def test_a_backend_that_cannot_be_read(configured, provider):
    """It is said beside the answer, which the other steps still give; with a proxy alike."""
    provider.models = None
    done = configured("explain", "box:model-a")
    assert done.code == 0
    assert "error: box:" in done.err
    found = rows(done.out)[1]
    assert (found["model"], found["account"]) == ("sent as model-a", "default headroom 100 %")
    assert "problem" not in found, "a backend without a list may serve"


def test_a_backend_that_cannot_serve(configured, provider):
    """What is known against it is shown, its account's headroom is not, and hops of a chain have it too."""
    provider.answer = lambda path, key: (401, {"error": {"message": "Incorrect key sk-g***"}})
    (configured.home / "config.toml").touch(mode=0o600)
    (configured.home / "config.toml").write_text('[fallback]\n"demo*" = ["box:model-a"]\n')
    for _ in range(2):
        found = rows(configured("explain", "box:model-a").out)[1]
        assert (
            found["problem"] == "did not send its model list: key refused (401): `fairlead backend set box --key-stdin`"
        )
        assert found["account"] == "default"
        chain = rows(configured("explain", "demo", "--protocol", "chat").out)[1]
        assert chain["fallback"] == "box:model-a (did not send its model list: key refused (401))"
        configured.start("proxy", "--port", "0")


def test_a_disabled_backend_is_named(configured):
    """In the row of the prefix and in the refusal, without a proxy and with one."""
    configured("backend", "disable", "box")
    for _ in range(2):
        found = rows(configured("explain", "box:model-a").out)[1]
        assert found["prefix"] == "box: (backend box is disabled)"
        assert found["refused"] == (
            "404: No backend serves the model 'box:model-a': box is disabled: `fairlead backend enable box`."
        )
        configured.start("proxy", "--port", "0")


def test_a_client_is_played(configured):
    """--client sends the headers that its requests have, and --help names the clients."""
    rule = '[[routes]]\nname = "cc"\nwhen.client = "codex"\nbackend = "box"\nmodel = "other"\n'
    (configured.home / "config.toml").touch(mode=0o600)
    (configured.home / "config.toml").write_text(rule)
    assert '"cc" needs client codex → no' in configured("explain", "model-a").out
    assert '"cc" to box, as other → yes' in configured("explain", "model-a", "--client", "codex").out


def test_the_demo_is_known(fairlead):
    """Also where nothing is configured and nothing runs."""
    assert (
        rows(fairlead("explain", "demo-tools").out)[1]["backend"]
        == "demo (catalog), speaks messages, chat, responses, gemini"
    )
    assert fairlead("explain", "demo-tools", FAIRLEAD_DEMO="off").code == 1


def test_a_translation_is_shown(fairlead, provider, tmp_path):
    """What the request becomes for its backend, and what is lost on the way."""
    done = fairlead("backend", "add", "box", "--base-url", provider.url, "--key-stdin", "--protocols", "chat",
                    stdin="sk-good\n")  # fmt: skip
    assert done.code == 0, done.err
    asked = {"model": "model-a", "max_tokens": 5, "top_p": 0.5, "metadata": {"user_id": "u"}}
    file = tmp_path / "request.json"
    file.write_text(json.dumps({**asked, "messages": [{"role": "user", "content": "hi"}]}))
    found = rows(fairlead("explain", str(file), "--protocol", "messages").out)[1]
    assert found["becomes"] == "chat; lost: metadata.user_id=dropped"
    assert found["edits"] == "translated messages->chat; lost metadata.user_id=dropped"


def test_json_has_no_character_that_a_terminal_obeys(configured, provider):
    """A model's name that reorders text stands as an escape in it, in the answer of a proxy too."""
    name = "model\u202e\u2066-a"
    for _ in range(2):
        done = configured("explain", name, "--json")
        assert done.out.isascii()
        assert name in json.dumps(json.loads(done.out), ensure_ascii=False)
        configured.start("proxy", "--port", "0")


def test_a_card(configured, provider):
    """What `fairlead conform` found out of the backend with this model is cited, with its age."""
    rows_ = (Row(id="reach.tls", verdict="yes", evidence=""), Row(id="reach.key", verdict="no", evidence=""))
    made = {"fairlead": "0", "date": "2026-01-01T00:00:00Z", "backend": "box", "root": f"{provider.url}/v1"}
    home = open_home({"FAIRLEAD_HOME": str(configured.home)})
    write_card(home, Card(**made, model="model-a", probes=rows_))
    said = rows(configured("explain", "model-a").out)[1]["card"]
    assert said.startswith("1 yes, 1 no; ")
    assert said.endswith(" days old")
    told = json.loads(configured("explain", "model-a", "--json").out)
    assert told["card"] == {"date": "2026-01-01T00:00:00Z", "verdicts": {"yes": 1, "no": 1}}
    write_card(home, Card(**made, model="model-b", probes=rows_))
    assert "card" not in rows(configured("explain", "text-embedding-1").out)[1]
