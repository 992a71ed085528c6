from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from tests.factories import PASSWORD
from tests.live.people import Tokens, me_request, numbers
from tests.live.race import rounds
from tests.live.server import Server
from tests.live.wire import request

pytestmark = pytest.mark.live


def test_one_address_in_eight_spellings_is_registered_once(
    live: Server, record: Callable[[str], None], sql: Any
) -> None:
    done = 0
    for _ in rounds(2):
        stem = f"rival{next(numbers)}"
        spellings = [
            "".join(c.upper() if n >> i & 1 else c for i, c in enumerate(stem))
            for n in range(8)
        ]
        about = [
            {"name": name, "email": f"{name}@Example.com", "password": PASSWORD}
            for name in spellings
        ]

        answers = live.race(
            *[request("POST", "/api/auth/register", each) for each in about]
        )

        assert Counter(a.status for a in answers) == {201: 1, 409: 7}
        [winner] = [Tokens.of(a) for a in answers if a.status == 201]
        assert live.ask(me_request(winner.access)).json["email"] == winner.email
        rows = "SELECT count(*) FROM accounts_user WHERE lower(email) = %s"
        assert sql(rows, f"{stem}@example.com") == [(1,)]
        codes = {a.json["error"]["code"] for a in answers if a.status == 409}
        assert codes == {"CONFLICT"}
        done += 1
    record(f"{done} rounds of 8: one 201 and seven 409 in each")
