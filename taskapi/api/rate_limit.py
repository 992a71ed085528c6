"""How a rate limit is written in the settings."""

from dataclasses import dataclass
from typing import Self

UNIT_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True)
class RateLimit:
    """A number of requests per window of a number of seconds; written `10/15m`."""

    requests: int
    seconds: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `requests/period`; the period is a number and s, m, h or d.

        Raises ValueError for any other text.
        """
        requests, _, period = text.partition("/")
        number, unit = period[:-1] or "1", period[-1:]
        if not (
            requests.isdecimal()
            and number.isdecimal()
            and unit in UNIT_SECONDS
            and int(requests) * int(number)
        ):
            raise ValueError(
                f"{text!r} is not a limit such as 10/15m (units: s, m, h, d)."
            )
        return cls(int(requests), int(number) * UNIT_SECONDS[unit])
