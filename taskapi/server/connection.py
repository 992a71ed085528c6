"""What one client has sent that was not answered, and what it has yet to receive."""

import select
import socket
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from threading import Lock
from time import monotonic

from taskapi.server.request import REQUEST_ID, Environ, Refused, Request, read
from taskapi.server.response import GoneError

READ_BYTES = 64 * 1024
GOODBYE_BYTES = 16 * 1024 * 1024
HELD_BYTES = 64 * 1024 * 1024


class Budget:
    """So many bytes for all connections together."""

    def __init__(self, size: int) -> None:
        self.left = size
        self.lock = Lock()

    def take(self, size: int) -> bool:
        with self.lock:
            if size > self.left:
                return False
            self.left -= size
        return True

    def give_back(self, size: int) -> None:
        with self.lock:
            self.left += size


@dataclass
class Limits:
    """What the connections of one worker share; times are in seconds.

    `patience` is for all of a head; between two pieces of a body, or of an answer; to
    hang up when there is nothing more to say. `stream_patience` is a thread's, which
    waits for a client to take the next piece.
    """

    threads: int
    connections: int
    keepalive: float
    body_bytes: int
    patience: float = 5.0
    stream_patience: float = 2.0
    received: Budget = field(default_factory=lambda: Budget(HELD_BYTES))
    unsent: Budget = field(default_factory=lambda: Budget(HELD_BYTES))
    pieces_sent: int = 0  # of streams


class Connection:
    """Of the leading thread; while a request runs, of the thread that runs it."""

    def __init__(self, sock: socket.socket, base: Environ, limits: Limits) -> None:
        self.sock, self.base, self.limits = sock, base, limits
        self.received: bytes | bytearray = b""
        self.held = 0  # of what was received, taken from the budget
        self.environ = base  # of the latest request
        self.request: Request | None = None  # whose body is not all there
        self.unsent = memoryview(b"")
        self.is_busy = self.is_broken = self.is_closed = False
        self.has_ended = False  # the client sends no more
        self.is_idle = False  # between two requests
        self.is_last = self.says_last = False  # for us, for the client
        self.goodbye = 0  # how many bytes more are read after the last answer
        self.events = 0  # that the poller is to tell of
        self.extend()

    def extend(self) -> None:
        self.deadline = monotonic() + self.limits.patience

    def receive(self) -> bool:
        """Take in what is there; False, and perhaps `has_ended`, if nothing is."""
        try:
            data = self.sock.recv(READ_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
            self.is_broken = True
        if not data:
            self.has_ended = True
        elif not self.received:
            self.received = data
        elif isinstance(self.received, bytearray):
            self.received += data
        else:
            self.received = bytearray(self.received) + data
        return bool(data)

    def next_request(self) -> Request | None:
        """The next request that is there in full, with its body; or raise Refused."""
        request = self.request
        if request is None:
            self.environ = self.base.copy()
            request = read(self.received, self.environ)
            if request and request.body_size > self.limits.body_bytes:
                raise Refused(413, "The body is too large.")
        if request is None or len(self.received) < request.size:
            self.hold(request)
            return None
        body = self.received[request.head_size : request.size]
        self.environ["wsgi.input"] = BytesIO(body)
        self.release(self.received[request.size :])
        return request

    def hold(self, request: Request | None) -> None:
        """Keep what has come of a request until the rest is there."""
        if request and not self.request and request.expects:
            with suppress(OSError):
                self.sock.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        if request or self.is_idle:
            # The body has to keep arriving; the head has its time as a whole.
            self.extend()
        self.request, self.is_idle = request, False
        if not self.limits.received.take(len(self.received) - self.held):
            raise Refused(503, "Too much is being received; try again.")
        self.held = len(self.received)

    def release(self, rest: bytes | bytearray = b"") -> None:
        """Forget what was received, but for the rest."""
        if self.held:
            self.limits.received.give_back(self.held)
            self.held = 0
        self.received, self.request = rest, None

    def refuse(self, refused: Refused) -> Request:
        """A request for the application to answer in the one error shape."""
        environ = {"REQUEST_METHOD": "-", "PATH_INFO": "", **self.environ}
        if sent := REQUEST_ID.search(self.received.partition(b"\r\n\r\n")[0] + b"\r\n"):
            environ.setdefault("HTTP_X_REQUEST_ID", sent[1].decode())
        environ["wsgi.input"] = BytesIO()
        environ["taskapi.refusal"] = refused.status, refused.sentence
        self.release()
        return Request(environ, 0, is_new=True)

    def begin(self, request: Request, *, is_last: bool) -> None:
        self.is_busy, self.is_idle = True, False
        self.environ = self.base  # so that nobody keeps a body who is idle
        self.says_last = request.is_last
        self.is_last |= is_last or request.is_last

    def rest(self) -> None:
        self.is_idle = True
        self.deadline = monotonic() + self.limits.keepalive

    def is_silent(self) -> bool:
        """Whether there is nothing to be done for it."""
        some = self.received.strip() or self.unsent or self.goodbye or self.is_busy
        return not some

    def send(self, data: bytes) -> None:
        """Send without waiting; what the client does not take yet is kept for it."""
        try:
            sent = self.sock.send(data)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            raise GoneError from error
        if sent == len(data):
            return
        if self.limits.unsent.take(len(data) - sent):
            self.unsent = memoryview(data)[sent:]
            self.extend()
        else:
            self.send_patiently(data[sent:])

    def proceed(self) -> None:
        """After an answer: send the rest of it, or wait for the client to hang up."""
        if self.unsent:
            self.flush()
        else:
            self.listen_out()

    def flush(self) -> None:
        """Send as much as the client takes of what was kept for it."""
        try:
            sent = self.sock.send(self.unsent)
        except BlockingIOError:
            return
        except OSError:
            self.is_broken = True
            return
        self.unsent = self.unsent[sent:]
        self.limits.unsent.give_back(sent)
        self.extend()

    def send_patiently(self, data: bytes) -> None:
        """Send, and wait for the client to take it; GoneError if it does not."""
        left = memoryview(data)
        while left:
            try:
                left = left[self.sock.send(left) :]
                self.limits.pieces_sent += 1
            except BlockingIOError:
                self.wait_to_send()
            except OSError as error:
                raise GoneError from error

    def wait_to_send(self) -> None:
        poller = select.poll()
        poller.register(self.sock, select.POLLOUT)
        if not poller.poll(self.limits.stream_patience * 1000):
            raise GoneError

    def hang_up(self) -> None:
        """Say that nothing more comes, and wait for the client's end.

        Closing at once would take the answer from a client that still sends
        (RFC 9112 9.6).
        """
        if self.says_last and not self.received:
            self.is_broken = True
            return
        try:
            self.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self.is_broken = True
        self.release()
        self.goodbye = GOODBYE_BYTES
        self.extend()

    def listen_out(self) -> None:
        if self.receive():
            self.goodbye -= len(self.received)
            self.received = b""
        self.is_broken |= self.has_ended or self.goodbye <= 0

    def close(self) -> None:
        self.is_closed = True
        self.release()
        self.limits.unsent.give_back(len(self.unsent))
        self.unsent = memoryview(b"")
        self.sock.close()
