"""Which of a worker's threads leads, so that a slow request holds up nobody else."""

from collections.abc import Callable
from queue import SimpleQueue
from threading import Lock, Thread
from time import monotonic, process_time

from taskapi.server.response import log

# How long a request may hold up the others; if requests are slow, and if they are not.
SHORT_RELIEF_SECONDS, RELIEF_SECONDS = 0.001, 0.005
# They are if they wait, and not for each other, this share of the time that they work
# or more: threads that share an interpreter take turns, and that costs time, too.
FAIR_WAIT = 0.5
# How much of what was waited beyond that makes requests slow, and for how long.
SLOW_WAIT_SECONDS = 0.01
SLOW_SECONDS = 0.1


class Lead:
    """Handed from thread to thread.

    `loop` is what the leader does: it is given the number of its turn, and returns when
    another turn has begun. `call` wakes the supervisor, who calls `relieve` while there
    are requests, and sets `is_unwatched` when there are none.
    """

    def __init__(
        self, loop: Callable[[int], None], call: Callable[[], None], threads: int
    ) -> None:
        self.loop, self.call, self.threads = loop, call, threads
        self.lock = Lock()
        self.turns: SimpleQueue[int] = SimpleQueue()
        self.turn = self.started = self.idle = 0
        self.busy_since = 0.0  # when the leader's request began, if it runs one
        self.worked = 0.0  # by the process until then
        self.waited = 0.0  # by the latest requests, beyond what is fair
        self.slow_until = 0.0
        self.is_unwatched = self.is_lost = False

    def begin(self, *, is_awaited: bool) -> None:
        """The leader is about to run a request; do others wait already?

        Then, if requests are slow, it passes the lead on at once: they rather wait
        themselves, for the database. Quick ones are sooner done without company.
        """
        now = monotonic()
        if is_awaited and now < self.slow_until:
            with self.lock:
                if self.pass_on():
                    return
        self.worked, self.busy_since = process_time(), now
        if self.is_unwatched:
            self.is_unwatched = False
            self.call()

    def end(self, turn: int) -> bool:
        """Whether the thread that had this turn has it still, after its request."""
        with self.lock:
            if turn == self.turn:
                self.weigh(monotonic())
                self.busy_since = 0.0
                return True
            self.idle += 1
            return False

    def weigh(self, now: float) -> None:
        """Learn from the leader's request, so far, whether requests are slow."""
        if now < self.slow_until:
            return
        worked = process_time() - self.worked
        waited = now - self.busy_since - worked
        self.waited = max(0.0, self.waited + waited - FAIR_WAIT * worked)
        if self.waited > SLOW_WAIT_SECONDS:
            self.slow_until = now + SLOW_SECONDS
            # Then less will tell that they still are.
            self.waited = SLOW_WAIT_SECONDS / 2

    def relieve(self) -> bool:
        """Let another thread lead if the leader is held up; whether one does now."""
        with self.lock:
            now = monotonic()
            is_slow = now < self.slow_until
            most = SHORT_RELIEF_SECONDS if is_slow else RELIEF_SECONDS
            if not self.busy_since or now - self.busy_since < most:
                return False
            self.weigh(now)
            return self.pass_on()

    def pass_on(self) -> bool:
        """Let a free thread lead, if there is one; else others wait. Needs the lock."""
        if self.idle:
            self.idle -= 1
        elif self.started < self.threads:
            self.started += 1
            # A daemon: one that is stuck must not keep the process from ending.
            name = f"request-{self.started}"
            Thread(target=self.follow, name=name, daemon=True).start()
        else:
            return False
        self.turn += 1
        self.busy_since = 0.0
        self.turns.put(self.turn)
        return True

    def follow(self) -> None:
        try:
            while True:
                self.loop(self.turns.get())
        except BaseException:
            # Without a leader nobody is served: the supervisor has to end it.
            log.exception("A thread of the server failed")
            self.is_lost = True
            self.call()
