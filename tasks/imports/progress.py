"""A progress bar on standard error, if that is a terminal."""

from typing import Any

from tqdm import tqdm


def bar(label: str, total: int | None, **options: Any) -> Any:
    # None: disabled if standard error is no terminal.
    return tqdm(desc=label, total=total, disable=None, leave=False, **options)
