"""Reads `.env` of the checkout, for every way in which the project is started.

It is no part of `taskapi.settings`, which reads the environment when it is imported.
"""

import os
import sys
from pathlib import Path

from dotenv import dotenv_values

PATH = Path(__file__).resolve().parents[1] / ".env"
names: set[str] = set()  # of the variables that the file sets


def load(path: Path = PATH) -> None:
    """Set the variables of the file that the environment lacks, if there is a file.

    Exits with a sentence if the file cannot be read.
    """
    if not path.exists():
        return
    try:
        values = dotenv_values(path, encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is no UTF-8 text"
        sys.exit(f"taskapi: cannot read {path}: {reason}")
    names.update(values)
    for name, value in values.items():
        os.environ.setdefault(name, value or "")
