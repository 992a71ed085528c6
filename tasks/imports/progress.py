"""How far a command is: a bar on standard error, if that is a terminal."""

from typing import Any

from tqdm import tqdm


def bar(what: str, total: int | None, **options: Any) -> Any:
    # None: not where standard error is a file or a pipe.
    return tqdm(desc=what, total=total, disable=None, leave=False, **options)
