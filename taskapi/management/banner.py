"""What `serve` prints once it serves: URLs that work, or what to set for them."""

import socket

from django.http.request import validate_host

from taskapi.checks import is_loopback

WILDCARDS = {"0.0.0.0", "::"}
TEST_NET = ("192.0.2.1", 9)  # RFC 5737: nobody's address


def to_url(host: str, port: int) -> str:
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def is_allowed(host: str, allowed: list[str]) -> bool:
    return validate_host(f"[{host}]" if ":" in host else host, allowed)


def network_address() -> str | None:
    """The address of this machine in its network, if it has one."""
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect(TEST_NET)  # chooses a route and sends nothing
            return str(probe.getsockname()[0])
    except OSError:
        return None


class Address:
    """Where the server listens, and by which URLs its clients reach it."""

    def __init__(self, host: str, port: int, allowed: list[str]) -> None:
        self.port, self.allowed = port, allowed
        self.is_wildcard = host in WILDCARDS
        self.local = "127.0.0.1" if self.is_wildcard else host
        self.network = network_address() if self.is_wildcard else None

    @property
    def remote_hosts(self) -> list[str]:
        """The names that other machines may use, as far as they are known."""
        names = [self.network, *(each.strip("[]") for each in self.allowed)]
        known = [each for each in names if each and not each.startswith(".")]
        return [n for n in known if not is_loopback(n) and is_allowed(n, self.allowed)]

    @property
    def url(self) -> str:
        others = self.remote_hosts if self.is_wildcard else []
        known = [h for h in (self.local, *others) if is_allowed(h, self.allowed)]
        return to_url((known or [self.local])[0], self.port)

    @property
    def notes(self) -> list[str]:
        """Lines about other machines, and about hosts that ALLOWED_HOSTS lacks."""
        if self.is_wildcard and (others := self.remote_hosts):
            return [f" network  {to_url(others[0], self.port)}"]
        lacking = self.network if self.is_wildcard else self.local
        if not lacking or is_allowed(lacking, self.allowed):
            return []
        host = f"[{lacking}]" if ":" in lacking else lacking
        allowed = ",".join([*self.allowed, host])
        where = to_url(lacking, self.port)
        return [f" network  {where} works once you set ALLOWED_HOSTS={allowed}"]
