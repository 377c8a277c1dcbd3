"""Names of header fields and query parameters that make a server read another request than the one that was sent.

A request is judged by its method and path before it goes upstream: some are closed, some cost money. A server that
takes a method, path or host from a header would do what was not judged. Sources: the method overrides of Google's,
Microsoft's and IBM's APIs and of web frameworks, and the URL headers of IIS, nginx, Envoy and Symfony.
"""

_METHODS = ("http-method-override", "x-method-override", "x-method", "-method", "method-override", "x-httpmethod")
_PLACES = ("x-host", "x-url-scheme", "x-override-url", "x-proxy-url", "request-uri", "x-request-uri", "x-url", "x-uri")

#: Lower-case header names, `_` as `-`: CGI and WSGI servers do not tell them apart.
HEADERS = frozenset((*_METHODS, *_PLACES, "script-name", "x-script-name", "path-info", "front-end-https"))
HEADER_PREFIXES = ("x-http-", "x-original-", "x-rewrite-", "x-envoy-", "x-middleware-")

#: Lower-case names of query parameters, `-` as `_`. Google's APIs read a method, headers and a body from some.
PARAMETERS = frozenset(
    (
        *("_method", "__method", "_httpmethod", "_http_method", "method_override", "http_method_override"),
        *("x_http_method_override", "x_http_method", "x_httpmethod", "x_method_override"),
        *("$httpmethod", "$http_method", "$httpheaders", "$http_headers", "$req"),
    )
)


def is_overriding_header(name: str) -> bool:
    """True for a lower-case header name that changes what a request means to some servers."""
    name = name.replace("_", "-")
    return name in HEADERS or name.startswith(HEADER_PREFIXES)


def is_overriding_parameter(name: str) -> bool:
    """True for a query parameter's decoded name that changes what a request means to some servers."""
    return name.lower().replace("-", "_") in PARAMETERS
