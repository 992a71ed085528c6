"""Commands as the reader of a message can run them."""

import os
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def runnable(arguments: str) -> str:
    """The command line of a command of manage.py, to be run in the checkout."""
    return f"{python()} manage.py {arguments}"


def python() -> str:
    here = Path(sys.prefix, "bin", "python")
    if here.is_relative_to(ROOT):
        return str(here.relative_to(ROOT))
    found = shutil.which("python")
    # A container has it in its PATH.
    is_same = found and os.path.realpath(found) == os.path.realpath(sys.executable)
    return "python" if is_same else sys.executable
