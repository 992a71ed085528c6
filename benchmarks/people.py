"""Who asks: bench@example.com and the users beside, as `manage.py seed` makes them."""

import json
from collections.abc import Iterator
from functools import cached_property
from itertools import count, islice
from typing import Any

from benchmarks.wire import Address, Answer, fetch
from tests.live.wire import request

BENCH = "bench@example.com"
OTHERS = ("user{}@example.com", "user{:03}@example.com")
PASSWORD = "pass1234!"
LONGEST_LIST = 100


class People:
    """The users of one server, signed in; bench is number 0."""

    def __init__(self, address: Address, others: int, first: str = BENCH) -> None:
        self.address = address
        self.emails = [first, *islice(self.found(), others)]
        self.tokens = [self.sign_in(email)["accessToken"] for email in self.emails]

    def found(self) -> Iterator[str]:
        """The addresses of the others, in whichever way they are numbered."""
        for pattern in OTHERS:
            if self.log_in(pattern.format(1)).status == 200:
                yield from map(pattern.format, count(1))

    def make(self, *about: Any, **headers: str) -> bytes:
        return request(*about, Host=self.address.host, **headers)

    def login(self, email: str) -> bytes:
        proof = {"email": email, "password": PASSWORD}
        return self.make("POST", "/api/auth/login", proof)

    def log_in(self, email: str) -> Answer:
        return fetch(self.address, self.login(email))

    def sign_in(self, email: str) -> dict[str, Any]:
        answer = self.log_in(email)
        if answer.status != 200:
            said = f"{answer.status} {answer.body[:300].decode()}"
            raise SystemExit(
                f"{email} with {PASSWORD!r} cannot log in, the server says {said}\n"
                "Make the users with: manage.py migrate && manage.py seed --force"
            )
        return dict(json.loads(answer.body))

    def email(self, number: int) -> str:
        return self.emails[number % len(self.emails)]

    def token(self, number: int) -> str:
        return str(self.tokens[number % len(self.tokens)])

    def asks(self, path: str, number: int = 0, **headers: str) -> bytes:
        """A GET of one of the users."""
        bearer = f"Bearer {self.token(number)}"
        return self.make("GET", path, Authorization=bearer, **headers)

    def sends(self, method: str, path: str, data: Any, number: int) -> bytes:
        bearer = f"Bearer {self.token(number)}"
        return self.make(method, path, data, Authorization=bearer)

    def read(self, path: str, number: int = 0) -> Any:
        answer = fetch(self.address, self.asks(path, number))
        if answer.status != 200:
            raise SystemExit(f"GET {path}: {answer.status} {answer.body[:300]!r}")
        return json.loads(answer.body)

    def tasks(self, number: int = 0, page: int = 1) -> list[dict[str, Any]]:
        path = f"/api/tasks?limit={LONGEST_LIST}&page={page}"
        return list(self.read(path, number)["items"])

    @cached_property
    def ids(self) -> list[str]:
        """Of bench's newest tasks, up to 500."""
        return [task["id"] for page in range(1, 6) for task in self.tasks(page=page)]

    @cached_property
    def words(self) -> list[str]:
        """What the titles of bench's tasks are made of, the commonest first."""
        titles = " ".join(task["title"] for task in self.tasks())
        words = [word.lower() for word in titles.split() if word.isalpha()]
        return sorted(set(words), key=lambda word: (-words.count(word), word))
