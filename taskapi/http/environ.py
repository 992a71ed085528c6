"""The WSGI environ (PEP 3333) of a request that an ASGI server received."""

import re
import sys
from functools import lru_cache
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes

ABSOLUTE_FORM = re.compile(rb"https?://([^/?#]+)(.*)", re.IGNORECASE)

Environ = dict[str, Any]


class Refusal(Exception):
    """Why a request is answered with an error before any view: status and message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)


def make_environ(scope: dict[str, Any]) -> Environ:
    """Everything but the body. The scheme is always http: only the settings decide
    whether a proxy is believed.
    """
    host, port = scope.get("server") or ("localhost", None)
    address, client_port = scope.get("client") or ("", 0)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": host,
        "SERVER_PORT": str(port or ""),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": address,
        "REMOTE_PORT": str(client_port),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for name, value in scope["headers"]:
        add_header(environ, name.decode("latin-1"), value.decode("latin-1"))
    return environ


def add_header(environ: Environ, name: str, value: str) -> None:
    key = environ_key(name)
    if key in environ:
        # One list, in the order of the fields (RFC 9110 section 5.3, RFC 6265).
        separator = "; " if key == "HTTP_COOKIE" else ","
        environ[key] += separator + value
    elif key:
        environ[key] = value


@lru_cache(512)
def environ_key(name: str) -> str:
    """No key for a name with an underscore, which would pass for another header."""
    if "_" in name:
        return ""
    key = name.upper().replace("-", "_")
    return key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"


def check_head(environ: Environ, target: bytes) -> None:
    """Raise Refusal for what gunicorn accepts and RFC 9110 and 9112 do not."""
    if environ["SERVER_PROTOCOL"] == "HTTP/1.1" and "HTTP_HOST" not in environ:
        raise Refusal(400, "A Host header is required.")
    if environ.get("HTTP_EXPECT", "100-continue").lower() != "100-continue":
        raise Refusal(417, "Only Expect: 100-continue is supported.")
    # Gunicorn takes gzip too, but decodes nothing (RFC 9112 section 6.1).
    if environ.get("HTTP_TRANSFER_ENCODING", "chunked").lower() != "chunked":
        raise Refusal(400, "Only the chunked transfer coding is supported.")
    is_options = environ["REQUEST_METHOD"] == "OPTIONS" and target == b"*"
    if target[:1] == b"/" or is_options:
        return
    absolute = ABSOLUTE_FORM.fullmatch(target)
    if not absolute:
        raise Refusal(400, "The request target is malformed.")
    # The host of the target overrules the header (RFC 9112 section 3.2.2).
    environ["HTTP_HOST"] = absolute[1].decode("latin-1")
    environ["PATH_INFO"] = unquote_to_bytes(absolute[2]).decode("latin-1")
