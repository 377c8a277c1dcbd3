"""The reasons for which the cycle of a client connection is cancelled."""

import enum


class CancelReason(enum.Enum):
    """Why a running cycle was cancelled: each with the words an error says it in. The names, in lower case, are error
    classes of the history and the log: renaming one changes what is recorded."""

    CLIENT_GONE = "the client closed the connection"
    IDLE = "no request came"
    CROWDED_OUT = "others needed its place"
    HEAD = "the request head did not arrive in time"
    BODY = "the request body stopped arriving"
    STALLED = "the client stopped reading"
    CONNECT = "the upstream could not be reached in time"
    FIRST_BYTE = "the upstream sent no response head in time"
    SILENT = "the upstream stopped sending"
    TOTAL = "the request took too long"
    STOPPING = "fairlead is stopping"
