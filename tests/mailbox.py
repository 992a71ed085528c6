"""The mails that were sent so far, by a worker that runs when a test looks."""

from collections.abc import Iterator
from typing import Any

from django.core import mail

from taskapi.outbox.worker import Worker


def deliver() -> None:
    """Deliver what is due, in this thread and on its connection."""
    Worker(16, lambda: None).run_until_empty()


class Mailbox:
    @property
    def sent(self) -> list[Any]:
        deliver()
        return list(mail.outbox)

    def __iter__(self) -> Iterator[Any]:
        return iter(self.sent)

    def __getitem__(self, index: Any) -> Any:
        return self.sent[index]

    def __len__(self) -> int:
        return len(self.sent)

    def __eq__(self, other: object) -> bool:
        return self.sent == other
