"""The commands. Written by `python packaging/words.py`."""

from router.cli.completions.rows import Command, Option
from router.cli.completions.tables.proxy_options import PROXY_OPTIONS

# fmt: off
# ruff: noqa: E501
#: Group -> what it is for.
GROUPS = {
    "backend": "add, list, change, remove and test backends",
    "accounts": "store several keys of one backend",
    "login": "log in at a provider or an issuer, and use that as a key",
    "keys": "give each tool or person a client key, with limits of its own",
    "config": "show and change the settings",
    "history": "export the history, or clear it",
    "cache": "show the answers that are given again, or delete them",
    "subagent": "give an agent a sub-agent or a skill that knows fairlead",
    "service": "have the system run the proxy, now and at every login",
}
#: Where a key is taken from, of each command that stores one.
KEY_SOURCES = (
    Option(("--key-stdin",), None, "read the key from standard input"),
    Option(("--key-env",), "variable", "take the key from this environment variable when it is ..."),
    Option(("--key-file",), "file", "take it from this file, which only you can read"),
    Option(("--key-cmd",), "", "take it from what this command prints"),
    Option(("--key-cloud",), "", "make it from a cloud's own credentials: aws:bedrock, ..."),
    Option(("--keyring",), "", "take it from the system's keyring"),
    Option(("--key",), "", "the key itself"),
)
#: In the order of the overview.
COMMANDS = {
    "proxy": Command("serve every backend on one local URL", (), (
        *PROXY_OPTIONS,
    )),
    "demo": Command("try it without a key: serve a built-in backend and send it requests", (), (
        Option(("--port",), "", "port to listen on"),
        Option(("--once",), None, "end after the requests: exit code 0 when all were right"),
        Option(("--replay",), "file", "serve what captures and repros in this folder hold"),
    )),
    "init": Command("ask a few questions, and get a first answer", (), (
        Option(("--backend",), "new backend", "add this provider, `all` that are found here, or `none`", again=True),
        *KEY_SOURCES,
        Option(("--proxy",), ("background", "once"), "where none runs: one that stays, or one for the first answer"),
        Option(("--tool",), "tool", "point this tool at fairlead, or `none`"),
        Option(("--write",), None, "write the configuration of the tool without asking"),
        Option(("--model",), "model", "the model that is asked, and that the tool begins with"),
        Option(("--yes",), None, "take the default of each question that no flag answers"),
    )),
    "stop": Command("stop the running proxy", (), (
        Option(("--port",), "", "stop only the proxy on this port"),
    )),
    "restart": Command("restart a proxy in the background, without a gap", (), (
        Option(("--port",), "", "restart only the proxy on this port"),
    )),
    "status": Command("show what the running proxy serves, and what runs now", (), (
        Option(("--watch",), None, "redraw it every second until Ctrl-C"),
        Option(("--json",), None, "print it as JSON, with the fields of GET /status"),
    )),
    "doctor": Command("look for what is wrong, and say what to do about it", ("",), (
        Option(("--probe",), None, "also send a tiny request to each backend"),
        Option(("--offline",), None, "use no network beyond this machine"),
        Option(("--json",), None, "print it as JSON"),
    )),
    "run": Command("start a tool that reaches its models through the proxy", ("",), (
        Option(("--model",), "model", "the model to use, by its name in fairlead models"),
        Option(("--budget",), "", "US dollars after which its requests are refused"),
        Option(("--tag",), "tag", "the tag of its requests, for `fairlead usage` and budgets"),
        Option(("--keep-env",), None, "leave the variables that lead past the proxy, and your ..."),
        Option(("--shell",), None, "start your shell, for several programs"),
        Option(("--dry-run",), None, "print what would be set and started"),
        Option(("--summary",), "", "write what it used to a file, as JSON"),
    )),
    "env": Command("print the lines that point a tool at the proxy", (), (
        Option(("--tool",), "tool", "the lines for one tool: claude, codex, aider, opencode, ..."),
        Option(("--shell",), ("sh", "bash", "zsh", "fish", "powershell", "cmd"), "sh, bash, zsh, fish, powershell, cmd"),
        Option(("--json",), None, "print the variables as JSON"),
    )),
    "setup": Command("point a tool's own configuration at the proxy, or take that back", ("tool to set up",), (
        Option(("--all",), None, "each tool on PATH"),
        Option(("--model",), "model", "the model that the tool begins with"),
        Option(("--protocol",), ("messages", "chat", "responses", "gemini"), "one of those that the tool speaks"),
        Option(("--print",), None, "only show what would be written"),
        Option(("--yes",), None, "write without asking"),
        Option(("--check",), None, "run the tool once, and find its request in the history"),
        Option(("--undo",), None, "take back what was written"),
        Option(("--mcp",), None, "register `fairlead mcp` in it, for questions to the router"),
        Option(("--json",), None, "print the result as JSON"),
    )),
    "backend add": Command("add a backend, or change one", ("new backend",), (
        *KEY_SOURCES,
        Option(("--no-key",), None, "send no key"),
        Option(("--auth",), ("client",), "pass on each tool's own login instead of a key"),
        Option(("--base-url",), "", "where it is, with or without a trailing /v1"),
        Option(("--auth-header",), ("bearer", "x-api-key", "api-key", "x-goog-api-key"), "how the key is sent, where not as its provider has it: ..."),
        Option(("--protocols",), "protocols", "what it speaks, of messages,chat,responses,gemini"),
        Option(("--insecure-http",), None, "allow http:// to a public address, where keys and texts can ..."),
        Option(("--project",), "", "the id or number of the Google Cloud project, for vertex, ..."),
        Option(("--location",), "", "the Google Cloud location, for vertex, claude-gcp"),
        Option(("--region",), "", "the AWS region, for bedrock, bedrock-mantle, claude-aws"),
        Option(("--workspace",), "", "the id of the Claude workspace, for claude-aws, claude-gcp"),
        Option(("--resource",), "", "the name of the Azure resource, not its URL, for azure, ..."),
        Option(("--account",), "", "the id of the Cloudflare account, for cloudflare"),
        Option(("--host",), "", "the host of the workspace, for databricks"),
        Option(("--header",), "", "set this header on its requests", again=True),
    )),
    "backend list": Command("show the backends", (), (
        Option(("--json",), None, "print them as JSON"),
    )),
    "backend set": Command("change one: its URL, protocols or key", ("backend",), (
        *KEY_SOURCES,
        Option(("--no-key",), None, "send no key"),
        Option(("--auth",), ("client",), "pass on each tool's own login instead of a key"),
        Option(("--base-url",), "", "where it is, with or without a trailing /v1"),
        Option(("--auth-header",), ("bearer", "x-api-key", "api-key", "x-goog-api-key"), "how the key is sent, where not as its provider has it: ..."),
        Option(("--protocols",), "protocols", "what it speaks, of messages,chat,responses,gemini"),
        Option(("--insecure-http",), None, "allow http:// to a public address, where keys and texts can ..."),
        Option(("--header",), "", "set this header on its requests", again=True),
        Option(("--remove-header",), "", "set this header no longer", again=True),
    )),
    "backend enable": Command("enable a backend", ("backend",), (
    )),
    "backend disable": Command("send it no new requests", ("backend",), (
    )),
    "backend remove": Command("remove a backend and its key", ("backend",), (
    )),
    "backend test": Command("send it a tiny request in each protocol", ("backend",), (
        Option(("--model",), "model", "the model to ask"),
        Option(("--account",), "alias", "the account whose key is used"),
        Option(("--json",), None, "print the result as JSON"),
    )),
    "accounts add": Command("store a further key of a backend", ("backend", "",), (
        *KEY_SOURCES,
    )),
    "accounts list": Command("show the accounts", ("backend",), (
        Option(("--json",), None, "print them as JSON"),
    )),
    "accounts remove": Command("remove an account and its key", ("backend", "alias",), (
    )),
    "login": Command("log in at a provider or an issuer, and use that as a key", ("new login",), (
        Option(("--issuer",), "", "who you log in to, for a login of your own client"),
        Option(("--client-id",), "", "of the client that you registered there"),
        Option(("--client-secret-stdin",), None, "read the client's secret, if it has one"),
        Option(("--scope",), "", "what to ask for, separated by spaces"),
        Option(("--audience",), "", "what the token is for, at issuers that want to know"),
        Option(("--device",), None, "type a code at the issuer's page, on any device"),
        Option(("--browser",), None, "with the browser of this machine"),
        Option(("--manual",), None, "with a browser elsewhere: paste the address it ends at"),
        Option(("--no-browser",), None, "print the page's address, and open nothing"),
        Option(("--redirect-uri",), "", "as registered, where the issuer wants a certain one"),
        Option(("--backend",), "backend", "whose key it is"),
        Option(("--base-url",), "", "where that backend is, if it is a new one"),
        Option(("--protocols",), "protocols", "what that backend speaks, if it is a new one"),
        Option(("--no-keyring",), None, "keep the tokens in a file of the home"),
    )),
    "login status": Command("show the logins: whom they serve, and when their tokens end", (), (
        Option(("--json",), None, "print them as JSON"),
    )),
    "login refresh": Command("renew a login now", ("login",), (
    )),
    "login logout": Command("end a login, at its issuer too", ("login",), (
    )),
    "keys add": Command("make a key, and show it once", ("",), (
        Option(("--models",), "models", "models it may use, separated by commas: aliases, models, or ..."),
        Option(("--backends",), "backends", "backends it may use, separated by commas"),
        Option(("--expires",), "", "the last day on which it is valid, or a time from now such ..."),
        Option(("--rpm",), "", "requests per minute"),
        Option(("--tpm",), "", "tokens per minute"),
        Option(("--max-concurrent",), "", "requests at a time"),
        Option(("--budget-day",), "", "US dollars for a day"),
        Option(("--budget-month",), "", "US dollars for a month"),
        Option(("--budget-day-tokens",), "", "tokens for a day"),
        Option(("--budget-month-tokens",), "", "tokens for a month"),
        Option(("--paths",), ("inference", "models", "all"), "inference"),
        Option(("--tag",), "tag", "tag of its requests, whatever they say themselves"),
        Option(("--auth-client",), ("on", "off"), "whether it may use backends to which the tool's own login ..."),
        Option(("--json",), None, "print name and key as JSON"),
    )),
    "keys list": Command("show the keys: what each may use, has spent, and when it ends", (), (
        Option(("--json",), None, "print them as JSON"),
    )),
    "keys set": Command("change what a key may use", ("client key",), (
        Option(("--models",), "models", "models it may use, separated by commas: aliases, models, or ..."),
        Option(("--backends",), "backends", "backends it may use, separated by commas"),
        Option(("--expires",), "", "the last day on which it is valid, or a time from now such ..."),
        Option(("--rpm",), "", "requests per minute"),
        Option(("--tpm",), "", "tokens per minute"),
        Option(("--max-concurrent",), "", "requests at a time"),
        Option(("--budget-day",), "", "US dollars for a day"),
        Option(("--budget-month",), "", "US dollars for a month"),
        Option(("--budget-day-tokens",), "", "tokens for a day"),
        Option(("--budget-month-tokens",), "", "tokens for a month"),
        Option(("--paths",), ("inference", "models", "all"), "inference"),
        Option(("--tag",), "tag", "tag of its requests, whatever they say themselves"),
        Option(("--auth-client",), ("on", "off"), "whether it may use backends to which the tool's own login ..."),
    )),
    "keys rotate": Command("replace the secret of a key", ("client key",), (
        Option(("--grace",), "", "how long the old secret stays valid, such as 24h"),
        Option(("--json",), None, "print name and key as JSON"),
    )),
    "keys revoke": Command("end a key", ("client key",), (
    )),
    "keys print": Command("print the key that was made for a tool", ("tool key",), (
    )),
    "config show": Command("show every setting with its value and where it comes from", (), (
        Option(("--json",), None, "print them as JSON"),
    )),
    "config get": Command("print the value of one setting", ("key",), (
        Option(("--json",), None, "print it as JSON"),
    )),
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
        Option(("--probes",), ("reach", "protocols", "money", "stream", "roles", "output", "tools", "input", "thinking", "cache", "server_tools", "gemini", "limits"), "only these groups and probes, by commas"),
        Option(("--budget",), "", "at most so much"),
        Option(("--show",), None, "send nothing: show the card that was made before"),
        Option(("--apply",), None, "write what its profile lacks to config.toml"),
        Option(("--markdown",), None, "print the card as Markdown, for an issue"),
        Option(("--json",), None, "print the card as JSON"),
    )),
    "explain": Command("show where a request would go, and why; nothing is sent", ("model or file",), (
        Option(("--protocol",), ("messages", "chat", "responses", "gemini"), "the request's protocol"),
        Option(("--client",), ("claude-code", "codex", "opencode", "cline", "continue", "qwen-code", "pi", "vibe", "litellm", "anthropic-sdk", "openai-sdk", "gemini-cli", "google-genai", "ai-sdk"), "the tool that sends the request: claude-code, codex, ..."),
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
        Option(("--next",), ("claude-code", "codex", "opencode", "cline", "continue", "qwen-code", "pi", "vibe", "litellm", "anthropic-sdk", "openai-sdk", "gemini-cli", "google-genai", "ai-sdk", "any"), "capture the next request of this tool"),
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
