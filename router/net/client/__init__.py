"""HTTP/1.1 towards upstreams, on the path of requests."""
