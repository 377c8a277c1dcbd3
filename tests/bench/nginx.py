"""Debian's nginx as a plain proxy with kept connections to the upstream: what a relay costs that only relays."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import programs
from programs import Program, Site

# One process, so that it has one core as the others do. Bodies of 256 KB stay in memory; streams are not collected.
_CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log off; client_max_body_size 64m; client_body_buffer_size 256k; keepalive_requests 1000000;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy; fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream bench {{ server 127.0.0.1:{upstream}; keepalive 64; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} reuseport;
    location / {{
      proxy_pass http://bench; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""


def find() -> str | None:
    """The program; None where it is not installed."""
    return shutil.which("nginx") or shutil.which("/usr/sbin/nginx")


@contextmanager
def nginx(site: Site) -> Iterator[Program]:
    """nginx, running before the upstream of the site."""
    port = programs.free_port()
    folder = site.folder / f"nginx.{port}"
    folder.mkdir()
    file = folder / "nginx.conf"
    file.write_text(_CONFIGURATION.format(folder=folder, port=port, upstream=site.port))
    command = [find() or "nginx", "-p", str(folder), "-c", str(file)]
    with programs.running("nginx", port, command, log=site.log(port)) as program:
        yield program
