"""What was measured, as a table and as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import median


@dataclass(frozen=True)
class Figures:
    """Of one operation on one server; None is what could not be measured."""

    rate: float  # requests a second
    p50: float  # milliseconds
    p99: float
    cpu: float | None  # microseconds of the server's processes, per request
    sql: float | None  # statements per request
    sent: float  # bytes of an answer, with its head
    errors: int
    first_error: str = ""

    @classmethod
    def typical(cls, rounds: list["Figures"]) -> "Figures":
        """The median of each, and all the errors."""
        rows = [asdict(each) for each in rounds]
        medians = {}
        for name in ("rate", "p50", "p99", "cpu", "sql", "sent"):
            known = [row[name] for row in rows if row[name] is not None]
            medians[name] = median(known) if known else None
        errors = sum(each.errors for each in rounds)
        said = next((each.first_error for each in rounds if each.first_error), "")
        return cls(**medians, errors=errors, first_error=said)  # type: ignore[arg-type]


COLUMNS = ["req/s", "p50 ms", "p99 ms", "CPU us", "SQL", "bytes", "errors"]
RATIOS = ["CPU ratio", "req/s ratio"]


def line(name: str, figures: list[str]) -> str:
    return f"{name:24}" + "".join(f"{figure:>12}" for figure in figures)


def heading(is_compared: bool) -> str:
    return line("", COLUMNS + (RATIOS if is_compared else []))


def row(name: str, it: Figures) -> str:
    whole = [f"{it.rate:.0f}", f"{it.p50:.2f}", f"{it.p99:.2f}", known(it.cpu, 0)]
    return line(name, [*whole, known(it.sql, 1), f"{it.sent:.0f}", str(it.errors)])


def known(figure: float | None, digits: int) -> str:
    return "-" if figure is None else f"{figure:.{digits}f}"


def shown(operation: str, table: Mapping[str, Figures]) -> str:
    """The row of one server, or the rows of several with their ratios to the first."""
    first = next(iter(table.values()))
    rows = [row(operation, first)]
    if len(table) > 1:
        rows = [operation, *(compared(n, it, first) for n, it in table.items())]
    said = {it.first_error for it in table.values() if it.first_error}
    return "\n".join([*rows, *(f"  error: {text}" for text in sorted(said))])


def compared(name: str, it: Figures, first: Figures) -> str:
    """With how many times as much CPU it needs as the first, and how many times as
    many requests the first answers.
    """
    cpu = it.cpu / first.cpu if it.cpu and first.cpu else None
    rate = first.rate / it.rate if it.rate else None
    return row(f"  {name}", it) + f"{known(cpu, 2):>12}{known(rate, 2):>12}"
