"""The commands whose output is compared, in the order in which they run on a home: before a proxy runs, while one does,
and after."""

from typing import NamedTuple


class Scene(NamedTuple):
    """A command line, what is typed or piped into it, and variables of its own."""

    line: str
    stdin: str = ""
    environ: tuple[tuple[str, str], ...] = ()


#: Read by `config import`.
FILES = {
    "ccr.json": '{"Providers": [{"name": "office", "api_base_url": "http://127.0.0.1:9/v1/chat/completions", '
    '"api_key": "sk-ccr-000000", "models": ["qwen3-coder"], "transformer": {"use": ["deepseek"]}}], '
    '"Router": {"default": "office,qwen3-coder", "think": "office,qwen3-coder"}, "LOG": true}',
    "litellm.yaml": "model_list:\n  - model_name: fast\n    litellm_params: {model: groq/llama-3.3-70b-versatile, "
    "rpm: 100}\nrouter_settings: {routing_strategy: latency-based-routing}\n",
    "request.json": '{"model": "model-a", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}',
}
KEY = "sk-good"
ON_EMPTY_HOME = [
    *(
        Scene(line)
        for line in ("status", "stop", "restart", "resume", "usage", "why -", "log", "repro -", "replay - --to box")
    ),
    *(Scene(line) for line in ("history export", "history clear", "cache show", "cache clear")),
    *(Scene(line) for line in ("backend list", "accounts list", "models", "explain gpt-5", "config path", "env")),
    *(Scene(line) for line in ("bogus", "backend bogus", "backend ad", "usage --jsn", "status --watch --json")),
    *(Scene(line) for line in ("ui", "ui --json")),
    *(Scene(line) for line in ("top --once", "log --filter modle:x", "log --filter cost:1", "top --interval soon")),
    *(Scene(name) for name in ("backend", "accounts", "keys", "config", "history", "cache", "service", "subagent")),
    # A key that is made differs each time, so that only what makes none is compared.
    *(Scene(f"keys {line}") for line in ("list", "add default", "set laptop --rpm 5", "rotate laptop")),
    *(Scene(f"keys {line}") for line in ("revoke laptop", "print codex", "set laptop --rpm none", "set laptop")),
    *(Scene(f"login{line}") for line in ("", " status", " refresh work", " logout work", " copilot", " openruoter")),
    *(Scene(f"login work --issuer {line}") for line in ("https://x.example", "http://x.example --client-id x")),
    Scene("backend add bx"),
    Scene("backend add", environ=(("OPENAI_API_KEY", "sk-proj-1"), ("GROQ_API_KEY", "gsk_1"))),
    Scene("init", environ=(("PATH", ""),)),
    Scene("init --tool codx --yes", environ=(("PATH", ""),)),
    Scene("backend remove box"),
    Scene("accounts remove box"),
    # Its input has ended before it began.
    Scene("mcp"),
    Scene("completions fish"),
    Scene("completions fish --install"),
    Scene("completions fish --install"),
    Scene("completions fish --uninstall"),
    Scene("completions powershell --install"),
    Scene("demo --once"),
    *(Scene(f"conform {line}") for line in ("demo --probes protocols,money", "box", "demo --probes strems")),
    *(Scene(line) for line in ("run", "run claude", "run -- no-such-program", "run -- cursor", "run --dry-run -- sh")),
    # Without the tools that may be on this machine.
    *(Scene(line, environ=(("PATH", ""),)) for line in ("setup", "setup codex", "setup codx", "setup cursor")),
    *(Scene(f"setup {line}", environ=(("PATH", ""),)) for line in ("jetbrains", "claude-code --print", "pi --undo")),
    *(Scene(f"subagent {line}", environ=(("PATH", ""),)) for line in ("install", "status", "remove --skill", "instal")),
    *(Scene(line) for line in ("upgrade", "upgrade --to soon", "upgrade --rollback --check", "update")),
    *(Scene(f"doctor {line}") for line in ("home config history", "hom", "--probe --offline")),
    Scene("upgrade --check", environ=(("FAIRLEAD_UPGRADE_URL", "http://127.0.0.1:1"),)),
]
BEFORE = [
    Scene("backend add box --base-url URL/v1 --protocols chat,responses --key-stdin", KEY),
    Scene("backend add box --key-stdin", "sk-wrong"),
    Scene("backend add openai --base-url http://127.0.0.1:1 --key-stdin", KEY),
    Scene("backend add groq --base-url http://127.0.0.1:1 --key-env GROQ_API_KEY --header X-Title=a-title"),
    Scene("backend add anthropic --auth client --base-url http://127.0.0.1:1"),
    Scene("backend set box --key-stdin", KEY),
    Scene("backend set openai --base-url http://127.0.0.1:2"),
    Scene("backend disable groq"),
    Scene("backend enable groq"),
    Scene("backend test box"),
    Scene("backend test openai"),
    Scene("backend test box --account nowhere"),
    Scene("backend list"),
    Scene("accounts add box second --key-stdin", KEY),
    Scene("accounts add box third --key-stdin", "sk-wrong"),
    Scene("accounts list"),
    Scene("accounts remove box third"),
    Scene("config set guard.day_usd 5"),
    Scene("config set aliases.fast box:model-a"),
    Scene("config set timeouts.idle soon"),
    Scene("config set timeouts.idel 2m"),
    Scene("config get guard.day_usd"),
    Scene("config set allowed_hosts box.lan,a-host-with-a-long-name.example,another-host-with-a-long-name.example"),
    Scene("config unset timeouts.idle"),
    Scene("config edit", environ=(("EDITOR", "true"),)),
    Scene("config show"),
    Scene("config import ccr.json"),
    Scene("config import litellm.yaml --yes"),
    Scene("config export"),
    Scene("config export there.toml"),
    Scene("models"),
    Scene("doctor config history secrets routes"),
    Scene("explain fast"),
    Scene("explain request.json --client claude-code"),
    Scene("explain nothing-of-this-name"),
    Scene("usage"),
    Scene("why -"),
    Scene("why req_0000000000000000000b"),
    Scene("history export"),
    *(Scene(f"env --tool {name}") for name in ("claude-code", "codex", "opencode", "gemini", "gemini-clj")),
]
RUNNING = [
    *(Scene(line) for line in ("status", "models", "models model", "explain fast", "env", "accounts list", "resume")),
    Scene("run --tag team --budget 2 -- true"),
    Scene("proxy --port PROXY"),
    Scene("restart"),
    Scene("backend test box"),
    Scene("backend disable groq"),
    Scene("config set guard.day_usd 6"),
    Scene("config set port 3457"),
    Scene("backend remove groq"),
    Scene("stop"),
]
AFTER = [
    Scene("config set upstream_proxy socks5://127.0.0.1:1"),
    Scene("history clear"),
    Scene("history clear --yes"),
    Scene("conform box --budget little"),
    Scene("conform box --show"),
    Scene("conform box --model model-a --probes reach.models,protocols.chat,protocols.messages,roles.developer"),
    Scene("backend remove box"),
]
