"""The URLs that `serve` prints."""

import pytest

from taskapi.management import banner
from taskapi.management.banner import Address

LOOPBACK = ["localhost", "127.0.0.1", "[::1]"]
EVERYWHERE = ["0.0.0.0", "::"]


@pytest.fixture(autouse=True)
def _network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(banner, "network_address", lambda: "192.168.1.5")


def printed(host: str, allowed: list[str]) -> tuple[str, list[str]]:
    address = Address(host, 8000, allowed)
    return address.url, address.notes


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8000"),
        ("localhost", "http://localhost:8000"),
        ("::1", "http://[::1]:8000"),
    ],
)
def test_default_needs_no_note(host: str, url: str) -> None:
    assert printed(host, LOOPBACK) == (url, [])


@pytest.mark.parametrize("host", EVERYWHERE)
def test_other_machines_are_told_what_to_set(host: str) -> None:
    url, [note] = printed(host, LOOPBACK)

    assert url == "http://127.0.0.1:8000"
    assert note == (
        " network  http://192.168.1.5:8000 works once you set"
        " ALLOWED_HOSTS=localhost,127.0.0.1,[::1],192.168.1.5"
    )


@pytest.mark.parametrize("host", EVERYWHERE)
@pytest.mark.parametrize("name", ["192.168.1.5", "tasks.lan"])
def test_url_for_other_machines_is_one_that_works(host: str, name: str) -> None:
    url, notes = printed(host, [*LOOPBACK, name])

    assert url == "http://127.0.0.1:8000"
    assert notes == [f" network  http://{name}:8000"]


def test_url_is_not_one_that_the_server_rejects() -> None:
    assert printed("0.0.0.0", ["api.example.com"])[0] == "http://api.example.com:8000"


@pytest.mark.parametrize(
    ("host", "added"), [("192.168.1.5", "192.168.1.5"), ("fd00::5", "[fd00::5]")]
)
def test_address_that_is_not_allowed_is_named(host: str, added: str) -> None:
    url, [note] = printed(host, LOOPBACK)

    assert url == f"http://{added}:8000"
    assert note.endswith(f"ALLOWED_HOSTS=localhost,127.0.0.1,[::1],{added}")


def test_machine_without_a_network_has_its_own_url_only(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(banner, "network_address", lambda: None)

    assert printed("0.0.0.0", LOOPBACK) == ("http://127.0.0.1:8000", [])
