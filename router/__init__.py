"""fairlead: the local LLM router. How a request travels, room by room.

bytes in   -> net       h11 server on trio: strict heads, bounded bodies
           -> server    the application: access, then an operator's endpoint (admin) or an exchange
           -> exchange  the life of one request: route, admission, send, failover, conclusion
           -> wire      which protocol, which model (peeked, not parsed)
           -> policy    which backend, which account (pure decisions, no I/O)
           -> net       HTTP/1.1 client on trio: idle pool, deadlines, TLS
bytes out  <- exchange  relay: whole events, commit point, pings, final error
              wire      tap: usage and terminal events, read beside the relay

upstream, budget, telemetry   shared by all requests: accounts and catalogs; the guard; records and metrics
store     files: home, configuration, keys, history; host: the machine: clock, processes, memory
cli       commands, which ask a running proxy by operator_api, the table of the operator's endpoints
settings  what can be configured; backends: known providers; demo: a built-in upstream

For other programs: `router.running` (see library) and `router.__version__`; nothing else is public Python.
"""

# Type checkers know this name by itself; typing would be a third of the modules that `--version` loads.
TYPE_CHECKING = False

if TYPE_CHECKING:
    from router.library import running as running

__all__ = ("__version__", "running")

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    # Late: `import router` and `fairlead --version` load nothing else.
    if name == "running":
        from router.library import running

        return running
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
