"""Invented tasks with their history, as the API would have written them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from tasks.models import Priority, Status, Task, TaskChange, inbox_id
from tasks.positions import last_position

T = TypeVar("T")
SPAN = timedelta(days=730)  # from the first write to now
MAX_PENDING = 50  # tasks of one user that wait for their second write

WORDS = {
    "v": """answer approve archive arrange assemble book call cancel check clean collect
        compare confirm copy deliver describe draft estimate explain finish fix inspect
        install invite label measure migrate move negotiate order paint pay plan polish
        prepare print publish read rehearse renew repair replace report review rewrite
        schedule send sign sketch sort summarise test translate update verify""",
    "a": """annual autumn blue broken central cheap confidential early eastern emergency
        external final foreign green internal joint late local long lost main monthly
        northern old open overdue public quarterly quiet revised second shared small
        southern spare spring summer temporary third urgent weekly western winter""",
    "n": """account agenda agreement alarm appointment balcony bicycle boiler brochure
        budget calendar camera certificate chart contract curtain customer database
        delivery desk diagram dishwasher exhibition fence festival garden guideline
        handbook harvest heating homepage insurance inventory invoice journey keyboard
        kitchen laboratory ladder lamp lecture letter library licence logbook manual
        market meeting minutes mirror newsletter notebook offer orchard package painting
        passport photograph playground poster presentation printer proposal prototype
        questionnaire receipt recipe recording refund registration reminder reservation
        roof schedule screen server shelf shipment signature speech stairs statistics
        subscription survey table telescope tender theatre ticket timetable tournament
        translation umbrella vehicle video wardrobe warehouse warranty website""",
    "c": """Aberdeen Bergen Cork Dresden Eindhoven Florence Granada Helsinki Innsbruck
        Jena Krakow Leeds Malaga Nantes Oslo Porto Quimper Riga Salzburg Turin Uppsala
        Verona Warsaw Ypres Zagreb""",
    "p": """Ada Bruno Chloe David Emma Felix Grace Hugo Ines Jonas Katya Liam Maria
        Nadia Oscar Priya Quentin Rosa Samir Tessa Umar Vera Walter Xenia Yusuf Zoe""",
}
VERBS, ADJECTIVES, NOUNS, PLACES, PEOPLE = (words.split() for words in WORDS.values())
TITLE_ENDS = (
    "",
    "",
    "",
    "",
    " for {p}",
    " for {p}",
    " for {p}",
    " in {c}",
    " in {c}",
    " #{d}",
)
SENTENCES = (
    "{p} asked for the {a} {n} twice already.",
    "The {n} in {c} comes first, everything else can wait.",
    "Take the {a} {n} along and {v} it on the spot.",
    "See the notes of {p} about the {n}.",
    "If the {a} {n} is missing, call {p} in {c}.",
    "Nobody remembers who had to {v} the {n} last time.",
    "Costs must stay below those of the {a} {n}.",
    "Afterwards {v} the {n} and tell {p}.",
)
# What happens to a task after its creation, weighted by repetition.
OUTCOMES = ["unchanged"] * 42 + ["started"] * 18 + ["done"] * 36 + ["trashed"] * 4
PRIORITIES = (
    [Priority.LOW] * 25
    + [Priority.MEDIUM] * 45
    + [Priority.HIGH] * 20
    + [Priority.URGENT] * 10
)


class TaskHistory(NamedTuple):
    """A task and its changes."""

    task: Task
    changes: list[TaskChange]


Pending = tuple[TaskHistory, str]  # with its outcome


class Writer:
    """Invents the writes of one user: each is later than the one before, has the next
    revision and records a change, as if it had gone through `tasks.operations`.
    """

    def __init__(self, user_id: UUID, random: Random, now: datetime) -> None:
        self.user_id, self.random, self.now = user_id, random, now
        self.revision = 0

    def tasks(self, number: int) -> Iterator[TaskHistory]:
        """Yield a number of tasks, spread over `SPAN`; the last one just before now."""
        step = SPAN / max(number, 1)
        # Different for each user, with time left for the writes after the last task.
        start = self.now - SPAN + step * self.random.random() * 0.999
        pending: list[Pending] = []
        for at in (start + n * step for n in range(number)):
            history, outcome = self.create(at), self.choose(OUTCOMES)
            if outcome == "unchanged":
                yield history
            else:
                pending.append((history, outcome))
            if len(pending) > MAX_PENDING:
                yield self.apply(*self.pick(pending), at + min(step, self.now - at) / 2)
        yield from self.finish(pending, self.now - step * 0.0004)

    def finish(self, pending: list[Pending], at: datetime) -> Iterator[TaskHistory]:
        pause = (self.now - at) / (len(pending) + 1)
        for n, (history, outcome) in enumerate(pending, 1):
            yield self.apply(history, outcome, at + n * pause)

    def pick(self, pending: list[Pending]) -> Pending:
        index = self.random_below(len(pending))
        pending[index], pending[-1] = pending[-1], pending[index]
        return pending.pop()

    def create(self, at: datetime) -> TaskHistory:
        pk = UUID(int=self.random.getrandbits(128), version=4)
        task = Task(
            id=pk,
            user_id=self.user_id,
            created_by_id=self.user_id,
            project_id=inbox_id(self.user_id),
            position=last_position(pk, at),
            title=self.title(),
            description=self.description(),
            priority=self.choose(PRIORITIES),
            due_at=self.due(at),
            created_at=at,
            updated_at=at,
        )
        return TaskHistory(task, [self.record(task, task.creation())])

    def apply(self, history: TaskHistory, outcome: str, at: datetime) -> TaskHistory:
        values: dict[str, dict[str, Any]] = {
            "started": {"status": Status.IN_PROGRESS},
            "done": {"status": Status.DONE},
            "trashed": {"deleted_at": at},
        }
        if change := history.task.apply(values[outcome], now=at):
            history.changes.append(self.record(history.task, change))
        return history

    def record(self, task: Task, change: TaskChange) -> TaskChange:
        self.revision += 1
        task.revision = self.revision
        change.changed_by, change.request_id = self.user_id, "seed"
        return change

    def due(self, at: datetime) -> datetime | None:
        days = self.random_below(400) - 120
        return at + timedelta(days=days) if days > 0 else None

    def title(self) -> str:
        verb = self.choose(VERBS).title()
        subject = f"{self.choose(ADJECTIVES)} {self.choose(NOUNS)}"
        number = self.random_below(1_000_000)
        end = self.choose(TITLE_ENDS).format(
            p=self.choose(PEOPLE), c=self.choose(PLACES), d=number
        )
        return f"{verb} the {subject}{end}"

    def description(self) -> str | None:
        return " ".join(self.sentence() for _ in range(self.random_below(4))) or None

    def sentence(self) -> str:
        return self.choose(SENTENCES).format(
            v=self.choose(VERBS),
            a=self.choose(ADJECTIVES),
            n=self.choose(NOUNS),
            c=self.choose(PLACES),
            p=self.choose(PEOPLE),
        )

    def choose(self, choices: Sequence[T]) -> T:
        return choices[self.random_below(len(choices))]

    def random_below(self, end: int) -> int:
        # Several times as fast as randrange, and random enough.
        return int(self.random.random() * end)
