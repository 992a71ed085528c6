"""How an answer's time depends on how many tasks its caller has.

    DATABASE_URL=postgres://... python -m benchmarks.sizes EMAIL EMAIL ...

Asks this project's server for the same things as each of these users of that database,
who has the fewest tasks first; their password is that of `manage.py seed`. No list is
answered by the cache: each comes after a write of its user.
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

from benchmarks.cases import Case, all_cases
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
    if not os.environ.get("DATABASE_URL"):
        sys.exit("Set DATABASE_URL to the database that has these users.")
    os.environ.update(own_environment())
    os.environ["DJANGO_SETTINGS_MODULE"] = "taskapi.settings"
    with services() as versions, closing(Ours(arguments.port, 1, **ONE_THREAD)) as ours:
        ours.wait()
        askers = [Asker(People(ours.address, 0, each)) for each in arguments.emails]
        print(f"{versions}; ms, medians of {arguments.times}\n", flush=True)
        rows = table(askers, arguments)
        if arguments.json:
            kept = [{k: row[k] for k in ("name", "ms", "ratio")} for row in rows]
            arguments.json.write_text(json.dumps(kept, indent=1))
        explain(rows, arguments.explain)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("emails", nargs="+", metavar="EMAIL")
    parser.add_argument("--times", type=int, default=15)
    parser.add_argument(
        "--only", action="append", help="cases with this in their names"
    )
    parser.add_argument("--bound", type=float, default=2, help="the ratio not to pass")
    parser.add_argument("--explain", type=int, default=0, help="as many of the worst")
    parser.add_argument("--port", type=int, default=8790)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def table(askers: list[Asker], arguments: argparse.Namespace) -> list[Row]:
    import django

    django.setup()
    emails = [asker.user.emails[0].partition("@")[0] for asker in askers]
    print(line("", *emails, "ratio"))
    rows = []
    for case in all_cases(askers[-1].user):
        if any(part in case.name for part in arguments.only or [""]):
            rows.append(measure(case, askers, arguments.times))
            figures = [f"{ms:.2f}" for ms in rows[-1]["ms"]]
            print(line(case.name, *figures, f"{rows[-1]['ratio']:.2f}"), flush=True)
    above = sum(row["ratio"] > arguments.bound for row in rows)
    print(f"\n{above} of {len(rows)} above {arguments.bound:g}")
    return rows


def line(name: str, *figures: str) -> str:
    return f"{name:75}" + "".join(f"{figure:>10}" for figure in figures)


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
