"""`fairlead models`: what can be asked for, by name and by backend, and which lists could not be read."""

import json


def test_models_without_a_proxy(fairlead, provider):
    """Without a proxy the backends are asked; one that fails is named, the others are listed, exit code 0."""
    provider.closed = False
    for name, rest in (("one", ["--no-key"]), ("two", ["--key-env", "NOT_SET"])):
        fairlead("backend", "add", name, "--base-url", provider.url, "--protocols", "chat", *rest)
    code, out, err = fairlead("models")
    assert code == 0
    assert [line.split()[:2] for line in out.splitlines()] == [["text-embedding-1", "one"], ["model-a", "one"]]
    assert "No proxy is running" in err
    assert "two: $NOT_SET is not set" in err
    result = json.loads(fairlead("models", "--json").out)
    assert result["proxy"] is None
    expected = {"id": "model-a", "backend": "one", "model": "model-a", "protocols": ["chat"]}
    assert result["models"][1] == {**expected, "facts": {}, "summary": "", "notice": ""}
    assert [problem["backend"] for problem in result["problems"]] == ["two"]


def test_models_lists_aliases_alike(fairlead, provider):
    """With a proxy and without one the list is that of GET /v1/models: aliases, and prefixes for names met twice."""
    provider.closed = False
    for name in ("one", "two"):
        fairlead("backend", "add", name, "--base-url", provider.url, "--protocols", "chat", "--no-key")
    for name, target in (("fast", "two:model-a"), ("nowhere", "three:x"), ("loose", "model-a")):
        (fairlead.home / "config.toml").touch(mode=0o600)
        fairlead("config", "set", f"aliases.{name}", target)
    without = json.loads(fairlead("models", "--json").out)
    assert [(entry["id"], entry["backend"]) for entry in without["models"]] == [
        ("fast", "two"),
        ("loose", "one"),
        ("text-embedding-1", "one"),
        ("two:text-embedding-1", "two"),
        ("model-a", "one"),
        ("two:model-a", "two"),
    ]
    fairlead.start("proxy", "--port", "0", "--demo", "off")
    beside = json.loads(fairlead("models", "--json").out)
    assert beside["proxy"] is not None
    assert beside["models"] == without["models"]


def test_no_models_yet(fairlead):
    """With nothing configured, the list says what to do."""
    code, out, _ = fairlead("models")
    assert (code, out) == (0, "No models. Add a backend:   fairlead backend add anthropic --key-stdin\n")


def test_some_of_the_models(fairlead, provider):
    """By a part of the name, in any case, and by backend, with a proxy and without one."""
    provider.closed = False
    for name in ("one", "two"):
        fairlead("backend", "add", name, "--base-url", provider.url, "--protocols", "chat", "--no-key")
    for _ in range(2):
        assert [line.split()[0] for line in fairlead("models", "MODEL-").out.splitlines()] == ["model-a", "two:model-a"]
        assert fairlead("models", "model", "--backend", "TWO").out.split()[:2] == ["two:model-a", "two"]
        none = fairlead("models", "nothing")
        assert (none.code, none.out) == (0, "No model has this in its name. See all:   fairlead models\n")
        unknown = fairlead("models", "--backend", "tow")
        assert (unknown.code, unknown.out) == (1, "")
        assert "there is no enabled backend named tow." in unknown.err
        assert "Did you mean two?" in unknown.err
        fairlead.start("proxy", "--port", "0", "--demo", "off")


def test_lists_that_cannot_be_read(fairlead, provider):
    """Exit code 1 where none can be read, or not that of the backend that was asked for; each is named once."""
    fairlead("backend", "add", "down", "--base-url", "http://127.0.0.1:9", "--protocols", "chat", "--no-key")
    fairlead("config", "set", "aliases.fast", "down:x")
    for _ in range(2):
        done = fairlead("models")
        assert done.code == 1
        assert done.err.count("error: down: 127.0.0.1:9 refused the connection") == 1
        proxy = fairlead.start("proxy", "--port", "0")
    proxy.kill()
    provider.closed = False
    fairlead("backend", "add", "good", "--base-url", provider.url, "--protocols", "chat", "--no-key")
    done = fairlead("models")
    assert (done.code, "error: down:" in done.err) == (0, True)
    assert fairlead("models", "--backend", "good").code == 0
    assert fairlead("models", "--backend", "down").code == 1


def test_a_backend_file_that_is_broken(fairlead):
    """It is named once, with what helps."""
    assert fairlead("backend", "add", "ollama").code == 0
    (fairlead.home / "backends" / "ollama.json").write_text("{")
    done = fairlead("models")
    assert (done.code, done.out) == (1, "")
    assert done.err.count("ollama.json") == 1
    assert "fairlead backend remove ollama" in done.err
