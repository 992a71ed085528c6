"""How an answer's time depends on how many tasks its caller sees.

    python -m benchmarks.sizes 10000 1000000

Makes an owner of so many tasks each, with 20 projects that another account is a member
of, and asks this project's server for the same things as each of them. No list is
answered by the cache: each comes after a write of its caller. On throwaway servers, or
on the database of DATABASE_URL, which keeps what was made.
"""

import argparse
import json
import os
import statistics
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.cases import Case, cases_of_members, cases_of_owners
from benchmarks.operations import TASK
from benchmarks.people import People
from benchmarks.server import Ours, own_environment, services
from benchmarks.wire import Connection, fetch

MOST_SECONDS = 6.0  # for one case and one user
FEWEST = 3
# Each thread's connection prepares and plans its statements for itself.
ONE_THREAD = {"WEB_THREADS": "1"}

Row = dict[str, Any]


class Asker:
    """One user."""

    def __init__(self, user: People) -> None:
        self.user = user
        made = fetch(user.address, user.sends("POST", "/api/tasks", TASK, 0))
        self.scratch = f"/api/tasks/{json.loads(made.body)['id']}"
        self.writes = 0

    def ask(self, case: Case) -> float:
        """Seconds, on a connection that is there already."""
        self.writes += 1
        data = {"title": f"Written {self.writes} times"}
        asked = case.request(self.user)
        with closing(Connection(self.user.address)) as connection:
            connection.ask(self.user.sends("PATCH", self.scratch, data, 0))
            started = time.perf_counter()
            status = connection.ask(asked).status
            seconds = time.perf_counter() - started
        if status != case.expects:
            print(f"{case.name}: {status} for {self.user.emails[0]}", file=sys.stderr)
        return seconds


def main() -> None:
    arguments = parse()
    os.environ.update(own_environment())
    os.environ["DJANGO_SETTINGS_MODULE"] = "taskapi.settings"
    with services() as versions:
        spaces = fill(arguments.sizes)
        print(f"{versions}; ms, medians of {arguments.times}", flush=True)
        with closing(Ours(arguments.port, 1, **ONE_THREAD)) as ours:
            ours.wait()
            rows = table(ours, [each.owner for each in spaces], arguments)
            rows += table(ours, [each.member for each in spaces], arguments)
        if arguments.json:
            kept = [{k: row[k] for k in ("name", "ms", "ratio")} for row in rows]
            arguments.json.write_text(json.dumps(kept, indent=1))
        explain(rows, arguments.explain)


def fill(sizes: list[int]) -> list[Any]:
    import django

    django.setup()
    from benchmarks import spaces

    return [spaces.fill(size) for size in sizes]


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("sizes", nargs="+", type=int, metavar="TASKS")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument(
        "--only", action="append", help="cases with this in their names"
    )
    parser.add_argument("--bound", type=float, default=2, help="the ratio not to pass")
    parser.add_argument("--explain", type=int, default=0, help="as many of the worst")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def table(ours: Ours, emails: list[str], arguments: argparse.Namespace) -> list[Row]:
    askers = [Asker(People(ours.address, 0, each)) for each in emails]
    names = [asker.user.emails[0].partition("@")[0] for asker in askers]
    print(line("", *names, "ratio"))
    rows = []
    is_owner = emails[0].startswith("owner")
    for case in (cases_of_owners if is_owner else cases_of_members)(askers[-1].user):
        if any(part in case.name for part in arguments.only or [""]):
            rows.append(measure(case, askers, arguments.times))
            figures = [f"{ms:.2f}" for ms in rows[-1]["ms"]]
            print(line(case.name, *figures, f"{rows[-1]['ratio']:.2f}"), flush=True)
    above = sum(row["ratio"] > arguments.bound for row in rows)
    print(f"\n{above} of {len(rows)} above {arguments.bound:g}\n")
    return rows


def line(name: str, *figures: str) -> str:
    return f"{name:55}" + "".join(f"{figure:>16}" for figure in figures)


def measure(case: Case, askers: list[Asker], times: int) -> Row:
    taken: list[list[float]] = [[] for _ in askers]
    for _ in range(times):
        # In turn: what else the machine does slows all of them down.
        for asker, seconds in zip(askers, taken, strict=True):
            if len(seconds) < FEWEST or sum(seconds) < MOST_SECONDS:
                seconds.append(asker.ask(case))
    medians = [statistics.median(seconds) * 1000 for seconds in taken]
    slowest = max(range(len(askers)), key=medians.__getitem__)
    found = {"case": case, "user": askers[slowest].user, "name": case.name}
    return found | {"ms": medians, "ratio": medians[slowest] / medians[0]}


def explain(rows: list[Row], most: int) -> None:
    """The plans of what became slowest, for the user who had it so."""
    from django.db import connection

    from accounts.models import User
    from benchmarks.explain import explained, signed_in

    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    ranked = sorted(rows, key=lambda row: -row["ratio"])
    for row in [row for row in ranked if row["case"].path][:most]:
        client = signed_in(User.objects.get(email=row["user"].emails[0]))
        path = row["case"].path(row["user"])
        print(f"\n# {row['name']}, {row['user'].emails[0]}", flush=True)
        print(explained(client, path, "BUFFERS"), flush=True)


if __name__ == "__main__":
    main()
