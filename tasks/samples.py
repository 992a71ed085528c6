"""Invented tasks with a past, as the API would have written them."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from tasks.models import Priority, Status, Task, TaskChange

T = TypeVar("T")
SPAN = timedelta(days=730)  # from the first write to now
UNDER_WAY = 50  # tasks of one user that wait for their second write

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
ENDS = (
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
# What becomes of a task after it was made, by how often it is named.
FATES = ["left"] * 42 + ["started"] * 18 + ["done"] * 36 + ["trashed"] * 4
URGENCIES = (
    [Priority.LOW] * 25
    + [Priority.MEDIUM] * 45
    + [Priority.HIGH] * 20
    + [Priority.URGENT] * 10
)


class Past(NamedTuple):
    """A task and its history."""

    task: Task
    changes: list[TaskChange]


class Writer:
    """Invents what one user wrote: each write is later than the one before, has the
    next revision and leaves a change, as if it had gone through `tasks.operations`.
    """

    def __init__(self, user_id: UUID, random: Random, now: datetime) -> None:
        self.user_id, self.random, self.now = user_id, random, now
        self.revision = 0

    def tasks(self, number: int) -> Iterator[Past]:
        """That many, spread over `SPAN`; the last ones about as new as can be."""
        step = SPAN / max(number, 1)
        # Not everybody's last at the same time, and room for what is after it.
        start = self.now - SPAN + step * self.random.random() * 0.999
        waiting: list[tuple[Past, str]] = []
        for at in (start + n * step for n in range(number)):
            past, fate = self.create(at), self.one(FATES)
            if fate == "left":
                yield past
            else:
                waiting.append((past, fate))
            if len(waiting) > UNDER_WAY:
                yield self.meet(*self.pick(waiting), at + min(step, self.now - at) / 2)
        yield from self.finish(waiting, self.now - step * 0.0004)

    def finish(self, waiting: list[tuple[Past, str]], at: datetime) -> Iterator[Past]:
        pause = (self.now - at) / (len(waiting) + 1)
        for n, (past, fate) in enumerate(waiting, 1):
            yield self.meet(past, fate, at + n * pause)

    def pick(self, waiting: list[tuple[Past, str]]) -> tuple[Past, str]:
        index = self.below(len(waiting))
        waiting[index], waiting[-1] = waiting[-1], waiting[index]
        return waiting.pop()

    def create(self, at: datetime) -> Past:
        task = Task(
            id=UUID(int=self.random.getrandbits(128), version=4),
            user_id=self.user_id,
            title=self.title(),
            description=self.description(),
            priority=self.one(URGENCIES),
            due_at=self.due(at),
            created_at=at,
            updated_at=at,
        )
        return Past(task, [self.signed(task, task.creation())])

    def meet(self, past: Past, fate: str, at: datetime) -> Past:
        values: dict[str, dict[str, Any]] = {
            "started": {"status": Status.IN_PROGRESS},
            "done": {"status": Status.DONE},
            "trashed": {"deleted_at": at},
        }
        if change := past.task.apply(values[fate], now=at):
            past.changes.append(self.signed(past.task, change))
        return past

    def signed(self, task: Task, change: TaskChange) -> TaskChange:
        self.revision += 1
        task.revision = self.revision
        change.changed_by, change.request_id = self.user_id, "seed"
        return change

    def due(self, at: datetime) -> datetime | None:
        days = self.below(400) - 120
        return at + timedelta(days=days) if days > 0 else None

    def title(self) -> str:
        verb, rest = self.one(VERBS), f" the {self.one(ADJECTIVES)} {self.one(NOUNS)}"
        number = self.below(1_000_000)
        end = self.one(ENDS).format(p=self.one(PEOPLE), c=self.one(PLACES), d=number)
        return verb.title() + rest + end

    def description(self) -> str | None:
        return " ".join(self.sentence() for _ in range(self.below(4))) or None

    def sentence(self) -> str:
        return self.one(SENTENCES).format(
            v=self.one(VERBS),
            a=self.one(ADJECTIVES),
            n=self.one(NOUNS),
            c=self.one(PLACES),
            p=self.one(PEOPLE),
        )

    def one(self, choices: Sequence[T]) -> T:
        return choices[self.below(len(choices))]

    def below(self, end: int) -> int:
        # Several times as fast as randrange, and as good for this.
        return int(self.random.random() * end)
