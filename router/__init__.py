"""fairlead: the local LLM router. How a request travels, room by room.

bytes in   -> net      h11 server on trio: strict heads, bounded bodies
           -> proxy    exchange: the story of one request
           -> wire     which protocol, which model (peeked, not parsed)
           -> policy   which backend (pure decisions, no I/O)
           -> net      h11 client: idle pool, deadlines, TLS
bytes out  <- proxy    relay: whole events, commit point, pings, final error
              wire     tap: usage and terminal events, read beside the relay

store    what lies on disk: home, backends, secrets, run file
backends known providers, as data
demo     a built-in upstream that speaks all three protocols
cli      commands, one file each
"""

__version__ = "0.1.0"
