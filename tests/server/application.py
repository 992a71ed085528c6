"""What gunicorn serves in the tests of the worker."""

import gc
import os
import time
from collections.abc import Callable, Iterable
from typing import Any

from taskapi.server.loop import Loop
from tests.server.conftest import text


def application(environ: Any, start: Callable[..., Any]) -> Iterable[bytes]:
    """The process's number, after as many milliseconds as the path says."""
    path = environ["PATH_INFO"].strip("/")
    if path == "break":
        # As no request can, but a mistake in the server could.
        for each in gc.get_objects():
            if type(each) is Loop:
                each.poller.close()
    else:
        time.sleep(int(path or 0) / 1000)
    return text(start, str(os.getpid()).encode())
