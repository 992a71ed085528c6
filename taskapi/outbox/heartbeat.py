"""`python -m taskapi.outbox.heartbeat FILE`: whether a worker is alive (exit status 0).

Standard library only: a container runs it every few seconds.
"""

import os
import sys
import time

MAX_AGE_SECONDS = 60


def beat(path: str) -> None:
    """Set the file's time to now."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        os.utime(file)
    finally:
        os.close(file)


def is_fresh(path: str) -> bool:
    try:
        return time.time() - os.stat(path).st_mtime < MAX_AGE_SECONDS
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(not is_fresh(sys.argv[1]))
