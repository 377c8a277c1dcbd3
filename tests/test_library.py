"""fairlead in another program: what `import router` gives, and nothing more."""

import json
import os
import subprocess
import sys
import textwrap

import pytest


def run(folder, program, **environ):
    """Run a user's program in a process of its own; its output."""
    keep = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    own = {"HOME": str(folder), "FAIRLEAD_REQUIRE_KEY": "off"}
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program)],
        check=False,
        capture_output=True,
        text=True,
        env={**keep, **own, **environ},
        cwd=folder,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


PROGRAM = """
    import json, urllib.request
    import trio, router

    def post(url):
        body = json.dumps({"model": "demo", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]})
        request = urllib.request.Request(url + "/v1/messages", body.encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request) as answer:
            return json.load(answer)["type"]

    async def main():
        async with router.running({"port": 0, "timeouts": {"idle": "60s"}}, home="proxy-home") as proxy:
            print(proxy.url)
            print(await trio.to_thread.run_sync(post, proxy.url))
            print(json.dumps(proxy.status()))
            print(json.dumps(proxy.backends()))

    trio.run(main)
"""


def test_a_program_serves(tmp_path):
    """It serves while the body runs, reports its state, and has its own home."""
    url, kind, status, backends = run(tmp_path, PROGRAM).splitlines()
    assert kind == "message"
    told = json.loads(status)
    assert (told["url"], told["problems"]) == (url, [])
    assert told["backends"] == json.loads(backends)
    assert [entry["name"] for entry in told["backends"]] == ["demo"]
    assert (tmp_path / "proxy-home" / "history.db").exists()
    assert not (tmp_path / ".fairlead").exists()
    assert not list((tmp_path / "proxy-home" / "run").iterdir())


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"port": "many"}, "port"),
        ({"port": 0, "timeouts": {"idle": []}}, "timeouts.idle"),
        ({"port": 0, "default_backend": 5}, "default_backend"),
    ],
)
def test_bad_settings(tmp_path, settings, text):
    """An error that names the key, before anything is served."""
    program = f"""
    import trio, router

    async def main():
        try:
            async with router.running({settings!r}):
                print("served")
        except Exception as error:
            print(type(error).__name__, error)

    trio.run(main)
    """
    out = run(tmp_path, program)
    assert out.startswith("CommandError ")
    assert text in out


def test_what_is_given_wins(tmp_path):
    """They come before the environment and the home's config.toml, which give all others, after a reload too."""
    home = tmp_path / ".fairlead"
    home.mkdir(mode=0o700)
    (home / "config.toml").touch(mode=0o600)
    (home / "config.toml").write_text('demo = false\nloss = "strict"\n[aliases]\nfast = "demo"\n')
    program = """
    import trio, router

    async def main():
        async with router.running({"port": 0, "demo": True}) as proxy:
            serving = proxy._serving
            for _ in range(2):
                settings = serving.runtime.settings
                print(settings.demo, settings.loss, settings.verbose, dict(settings.aliases))
                await serving.reload().wait()

    trio.run(main)
    """
    assert run(tmp_path, program, FAIRLEAD_VERBOSE="1").splitlines() == ["True strict 1 {'fast': 'demo'}"] * 2


def test_import_is_light(tmp_path):
    """`import router` loads nothing of the proxy, and offers nothing else."""
    program = """
    import sys, router
    print(sorted(name for name in sys.modules if name.startswith(("router", "trio"))), router.__all__)
    try:
        router.serve
    except AttributeError as error:
        print(error)
    """
    assert run(tmp_path, program).splitlines() == [
        "['router'] ('__version__', 'running')",
        "module 'router' has no attribute 'serve'",
    ]
