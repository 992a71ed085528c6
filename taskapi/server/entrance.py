"""Where new connections come in."""

import socket
import sys
from collections.abc import Callable
from errno import EMFILE, ENFILE, ENOBUFS, ENOMEM
from selectors import EVENT_READ, BaseSelector
from threading import Lock
from typing import Any

from taskapi.server.request import Environ

EXHAUSTED = {EMFILE, ENFILE, ENOBUFS, ENOMEM}


class Entrance:
    """Calls `welcome` with each new connection and the environ of its requests."""

    def __init__(
        self,
        listeners: list[socket.socket],
        poller: BaseSelector,
        welcome: Callable[[socket.socket, Environ], None],
    ) -> None:
        self.environs = {each: environ_of(each) for each in listeners}
        self.poller, self.welcome = poller, welcome
        self.is_open = self.is_over = False
        # The leader opens and shuts it, and the supervisor closes it.
        self.lock = Lock()

    def open(self) -> None:
        with self.lock:
            if not (self.is_open or self.is_over):
                self.is_open = True
                for each in self.environs:
                    self.poller.register(each, EVENT_READ, (self.accept, each))

    def shut(self) -> None:
        with self.lock:
            if self.is_open:
                self.is_open = False
                for each in self.environs:
                    self.poller.unregister(each)

    def close(self) -> None:
        """For good, so that clients go elsewhere at once."""
        self.is_over = True
        self.shut()
        for each in self.environs:
            each.close()

    def accept(self, listener: socket.socket) -> None:
        try:
            sock, address = listener.accept()
        except OSError as error:
            # Another worker was faster, or the client is gone, unless:
            if error.errno in EXHAUSTED:
                self.shut()
            return
        sock.setblocking(False)
        environ = self.environs[listener].copy()
        if isinstance(address, tuple):
            environ |= {"REMOTE_ADDR": address[0], "REMOTE_PORT": str(address[1])}
        self.welcome(sock, environ)


def environ_of(listener: socket.socket) -> Environ:
    """What PEP 3333 wants of every request that comes in there.

    The scheme is always http: whether a proxy may tell otherwise is for the settings.
    """
    address: Any = listener.getsockname()
    host, port = address[:2] if isinstance(address, tuple) else ("localhost", "")
    return {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        "wsgi.input_terminated": True,
        "SCRIPT_NAME": "",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "",
        "QUERY_STRING": "",
    }
