"""The second half of the commands. Written by `python packaging/words.py`."""

from router.cli.completions.rows import Command, Option

# fmt: off
# ruff: noqa: E501
FURTHER = {
    "config set": Command("change one setting in config.toml", ("key", "value",), (
        Option(("--stdin",), None, "read the value from standard input"),
    )),
    "config unset": Command("take one setting out of config.toml", ("set key",), (
    )),
    "config path": Command("print where config.toml is", (), (
    )),
    "config edit": Command("open config.toml in your editor", (), (
    )),
    "config export": Command("write the settings to share them, without secrets", ("file",), (
    )),
    "config import": Command("read such a file, or claude-code-router's or LiteLLM's", ("file",), (
        Option(("--from",), ("fairlead", "claude-code-router", "litellm"), "fairlead, claude-code-router, litellm"),
        Option(("--yes",), None, "write without asking"),
    )),
    "conform": Command("find out by tiny requests what a backend really does", ("backend",), (
        Option(("--model",), "model", "the model to ask"),
        Option(("--probes",), ("reach", "protocols", "money", "stream", "roles", "output", "tools", "input", "thinking", "cache", "server_tools", "limits"), "only these groups and probes, by commas"),
        Option(("--budget",), "", "at most so much"),
        Option(("--show",), None, "send nothing: show the card that was made before"),
        Option(("--apply",), None, "write what its profile lacks to config.toml"),
        Option(("--markdown",), None, "print the card as Markdown, for an issue"),
        Option(("--json",), None, "print the card as JSON"),
    )),
    "explain": Command("show where a request would go, and why; nothing is sent", ("model or file",), (
        Option(("--protocol",), ("messages", "chat", "responses"), "the request's protocol"),
        Option(("--client",), ("claude-code", "codex", "opencode", "cline", "continue", "qwen-code", "pi", "vibe", "litellm", "anthropic-sdk", "openai-sdk", "ai-sdk"), "the tool that sends the request: claude-code, codex, ..."),
        Option(("--header",), "", "a header of the request", again=True),
        Option(("--json",), None, "print the explanation as JSON"),
    )),
    "usage": Command("show requests, tokens, cost, latency and errors of a period", (), (
        Option(("--since",), ("60m", "24h", "7d", "today"), "60m, 24h, 7d, today, or a date such as 2026-11-01"),
        Option(("--by",), ("model", "account", "client", "tag", "key", "class", "agent", "day", "error", "cache", "answers"), "one table alone: model, account, client, tag, key, class, ..."),
        Option(("--json",), None, "print it as JSON, with the fields of GET /analytics"),
    )),
    "log": Command("show the newest requests, a line each, and go on with those that follow", (), (
        Option(("-f", "--follow",), None, "go on until Ctrl-C"),
        Option(("--filter",), "", "those it fits: 'model:opus', 'status:5xx cost>0.10', '!demo'"),
        Option(("-n", "--lines",), "", "how many at first"),
        Option(("--json",), None, "a JSON object a line, with the fields of /admin/history"),
    )),
    "top": Command("show what runs now, again every second", (), (
        Option(("--interval",), "", "how often, such as 5s"),
        Option(("--once",), None, "show it once"),
        Option(("--filter",), "", "of those that ended, the ones it fits, as for log"),
        Option(("--json",), None, "a JSON object a line"),
    )),
    "ui": Command("open the local page of the running proxy in the browser", (), (
        Option(("--no-open",), None, "print the address, and open no browser"),
        Option(("--json",), None, "print the address as JSON, and open no browser"),
    )),
    "why": Command("show what happened to one request", ("request",), (
        Option(("--json",), None, "print it as JSON"),
    )),
    "repro": Command("make a file that shows what happened to a request, without its content", ("",), (
        Option(("--next",), ("claude-code", "codex", "opencode", "cline", "continue", "qwen-code", "pi", "vibe", "litellm", "anthropic-sdk", "openai-sdk", "ai-sdk", "any"), "capture the next request of this tool"),
        Option(("--bodies",), ("none", "shape", "full"), "shape: their form"),
        Option(("-o", "--output",), "file", "where to write it"),
        Option(("--no-check",), None, "do not run it"),
        Option(("--markdown",), None, "print a text to paste into an issue"),
        Option(("--json",), None, "print what was done as JSON"),
    )),
    "replay": Command("show, or try, what a captured request becomes at another backend", ("",), (
        Option(("--to",), "", "where it goes"),
        Option(("--send",), None, "send it: this costs what such a request costs"),
        Option(("--times",), None, "tell when the answer came, and how long its waits were"),
        Option(("--translate-only",), None, "compare translations"),
        Option(("--markdown",), None, "print a text to paste into an issue, without content"),
        Option(("--json",), None, "print it as JSON"),
    )),
    "history export": Command("print every recorded request, as JSON or CSV", (), (
        Option(("--format",), ("json", "csv"), "json: a line a request"),
    )),
    "history clear": Command("erase every recorded request and all sums", (), (
        Option(("--yes",), None, "do not ask"),
    )),
    "cache show": Command("show what the cache of answers holds, and what it saved", (), (
        Option(("--json",), None, "print it as JSON"),
    )),
    "cache clear": Command("delete every answer that is kept", (), (
        Option(("--json",), None, "print how many there were as JSON"),
    )),
    "resume": Command("resume traffic after a budget halt", (), (
        Option(("--json",), None, "print the halts that were ended as JSON"),
    )),
    "models": Command("list every model that can be reached now", ("",), (
        Option(("--backend",), "backend", "show only the models of this backend"),
        Option(("--json",), None, "print the list as JSON"),
    )),
    "mcp": Command("answer an agent's questions about the router, over its pipe", (), (
    )),
    "subagent install": Command("write the sub-agent's file, or the skill", (), (
        Option(("--tool",), ("claude-code", "codex", "opencode"), "claude-code, codex, opencode"),
        Option(("--skill",), None, "the skill: how to install, set up and debug fairlead"),
        Option(("--project",), None, "for the project of the working directory, instead of for ..."),
        Option(("--json",), None, "print the result as JSON"),
        Option(("--print",), None, "only print the text that would be written"),
        Option(("--yes",), None, "write without asking"),
        Option(("--force",), None, "also over a file of another origin"),
    )),
    "subagent remove": Command("take it back", (), (
        Option(("--tool",), ("claude-code", "codex", "opencode"), "claude-code, codex, opencode"),
        Option(("--skill",), None, "the skill: how to install, set up and debug fairlead"),
        Option(("--project",), None, "for the project of the working directory, instead of for ..."),
        Option(("--json",), None, "print the result as JSON"),
        Option(("--print",), None, "only show what would be removed"),
        Option(("--yes",), None, "remove without asking"),
    )),
    "subagent status": Command("show which hosts have it, and of which version", (), (
        Option(("--json",), None, "print it as JSON"),
    )),
    "completions": Command("print the script that completes commands in your shell", (("bash", "zsh", "fish", "powershell"),), (
        Option(("--install",), None, "write it where new shells find it"),
        Option(("--uninstall",), None, "remove the file that --install wrote"),
    )),
    "service install": Command("have the system run the proxy, now and at every login", (), (
        Option(("--env-file",), "file", "a file of NAME=value lines, which only you can read, for ..."),
        Option(("--print", "--dry-run",), None, "only show what would be written"),
        Option(("--yes",), None, "write and start it without asking"),
        Option(("--force",), None, "also over one that was changed by hand"),
    )),
    "service uninstall": Command("stop it, and take that back", (), (
        Option(("--force",), None, "also when it was changed by hand, or is not of fairlead"),
    )),
    "service status": Command("show whether it is installed, current and running", (), (
        Option(("--json",), None, "print it as JSON"),
    )),
    "service logs": Command("show its log", (), (
        Option(("-n", "--lines",), "", "so many of the last lines"),
        Option(("-f", "--follow",), None, "go on with what is written, until Ctrl-C"),
    )),
    "service restart": Command("start it anew, as after an upgrade", (), (
    )),
    "upgrade": Command("install the newest release, or go back to the version before", (), (
        Option(("--check",), None, "only look whether there is a newer release"),
        Option(("--to",), "", "install this version, also an older one"),
        Option(("--rollback",), None, "go back to the version before"),
        Option(("--json",), None, "print what was found and done as JSON"),
    )),
}
