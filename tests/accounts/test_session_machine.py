"""Sessions against a model of them, through random logins, renewals, waits and ends."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    rule,
    run_state_machine_as_test,
)

from tests.accounts.clock import Clock
from tests.accounts.wire import bearer, is_welcome, post, refresh, sign_in
from tests.factories import PASSWORD, make_user

ACCESS = timedelta(minutes=15)
SLIDING, ABSOLUTE = timedelta(days=7), timedelta(days=30)
GRACE = timedelta(seconds=10)
WAITS = [
    *(timedelta(seconds=seconds) for seconds in (1, 5, 10, 11)),
    *(timedelta(minutes=minutes) for minutes in (5, 15)),
    *(timedelta(days=days) for days in (3, 6, 7, 12)),
]


@dataclass
class Device:
    """What is known of one session without asking the database."""

    end: datetime
    is_ended: bool = False
    rotated_at: datetime = field(init=False)
    # The tokens ever given to it, the oldest first, and when each runs out.
    renewals: list[tuple[str, datetime]] = field(default_factory=list)
    accesses: list[tuple[str, datetime]] = field(default_factory=list)

    def is_live(self, now: datetime) -> bool:
        return not self.is_ended and now < self.renewals[-1][1]

    def take(self, answer: Any, now: datetime) -> None:
        self.accesses.append((answer["accessToken"], now + ACCESS))

    def take_new(self, answer: Any, now: datetime) -> None:
        assert answer["refreshToken"] not in dict(self.renewals)
        self.rotated_at = now
        self.renewals.append((answer["refreshToken"], min(now + SLIDING, self.end)))
        self.take(answer, now)


class SessionMachine(RuleBasedStateMachine):
    devices = Bundle("devices")

    @initialize()
    def begin(self) -> None:
        self.user = make_user("alice", email=f"{uuid4()}@example.com")
        self.password, self.known = PASSWORD, list[Device]()
        self.clock = Clock()
        self.stop = self.clock.running()
        self.stop.__enter__()

    @property
    def now(self) -> datetime:
        return self.clock.now

    @rule(target=devices)
    def log_in(self) -> Device:
        device = Device(self.now + ABSOLUTE)
        device.take_new(sign_in(self.user, self.password), self.now)
        self.known.append(device)
        return device

    @rule(time=st.sampled_from(WAITS))
    def wait(self, time: timedelta) -> None:
        self.clock.now += time

    @rule(device=devices)
    def renew(self, device: Device) -> None:
        self.refresh(device, 0)

    @rule(device=devices)
    def renew_again(self, device: Device) -> None:
        self.refresh(device, 1)

    @rule(device=devices, age=st.integers(2, 4))
    def replay(self, device: Device, age: int) -> None:
        self.refresh(device, age)

    def refresh(self, device: Device, age: int) -> None:
        age = min(age, len(device.renewals) - 1)
        token, runs_out = device.renewals[-1 - age]

        response = refresh(token)

        if self.now >= runs_out or not device.is_live(self.now):
            assert response.status_code == 401
        elif age == 0:
            assert response.status_code == 200
            device.take_new(response.json(), self.now)
        elif age == 1 and self.now - device.rotated_at <= GRACE:
            assert response.status_code == 200
            assert response.json()["refreshToken"] == device.renewals[-1][0]
            device.take(response.json(), self.now)
        else:
            assert response.status_code == 401
            device.is_ended = True

    @rule(device=devices, age=st.integers(0, 3))
    def log_out(self, device: Device, age: int) -> None:
        token, runs_out = device.renewals[-1 - min(age, len(device.renewals) - 1)]

        response = post("logout", {"refreshToken": token})

        if self.now < runs_out + ABSOLUTE:
            assert response.status_code == 204
            device.is_ended = True
        else:
            assert response.status_code == 401

    @rule(device=devices)
    def log_out_everywhere(self, device: Device) -> None:
        token, _ = device.accesses[-1]
        is_good = self.is_good(device, -1)

        response = bearer(token).post("/api/auth/logout-all")

        assert response.status_code == (204 if is_good else 401)
        for known in self.known if is_good else []:
            known.is_ended = True

    @rule(device=devices)
    def change_password(self, device: Device) -> None:
        token, _ = device.accesses[-1]
        is_good, new = self.is_good(device, -1), f"{self.password}+"
        body = {"currentPassword": self.password, "newPassword": new}

        response = bearer(token).post("/api/auth/password", body, format="json")

        assert response.status_code == (204 if is_good else 401)
        if is_good:
            self.password = new
            for known in self.known:
                known.is_ended |= known is not device

    @rule(device=devices, index=st.integers(0, 5))
    def look(self, device: Device, index: int) -> None:
        index = -1 - min(index, len(device.accesses) - 1)

        assert is_welcome(device.accesses[index][0]) == self.is_good(device, index)

    def is_good(self, device: Device, index: int) -> bool:
        """Whether one of the device's access tokens is good."""
        return device.is_live(self.now) and self.now < device.accesses[index][1]

    def teardown(self) -> None:
        if not hasattr(self, "stop"):
            return
        try:
            for device in self.known:
                for index, (token, _) in enumerate(device.accesses):
                    assert is_welcome(token) == self.is_good(device, index)
            live = self.user.sessions.live(self.now).count()
            assert live == sum(device.is_live(self.now) for device in self.known)
        finally:
            self.stop.__exit__(None, None, None)


@pytest.mark.django_db
def test_sessions_agree_with_the_model() -> None:
    run_state_machine_as_test(
        SessionMachine,
        settings=settings(
            max_examples=settings.default.max_examples * 2 // 5,
            stateful_step_count=30,
            database=None,
        ),
    )
