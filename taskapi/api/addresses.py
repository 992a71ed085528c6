"""Where a request comes from, as trusted proxies report it."""

import re
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

from django.conf import settings
from django.http import HttpRequest


def client_address(request: HttpRequest) -> str | None:
    """The client's address, or None where there is none (a Unix socket).

    Each of the NUM_PROXIES trusted proxies appends the address it saw to
    X-Forwarded-For, so the client is that many entries from the right; entries
    further left were written by the client itself.
    """
    address = request.META.get("REMOTE_ADDR", "")
    if settings.NUM_PROXIES:
        hops = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
        address = hops[-min(settings.NUM_PROXIES, len(hops))].strip() or address
    return parse_address(address) or parse_address(request.META.get("REMOTE_ADDR", ""))


@lru_cache(maxsize=4096)
def parse_address(address: str) -> str | None:
    # Some proxies add the port: "192.0.2.1:49152", "[2001:db8::1]:49152".
    bare = re.fullmatch(r"\[(.+)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+", address)
    try:
        parsed = ip_address((bare[1] or bare[2]) if bare else address)
    except ValueError:
        return None
    if isinstance(parsed, IPv6Address) and parsed.ipv4_mapped:
        return str(parsed.ipv4_mapped)
    # A zone ("fe80::1%eth0") means nothing outside this host, and no column stores it.
    return str(parsed).partition("%")[0]


def client_subnet(address: str | None) -> str:
    """What one subscriber has: an IPv4 address, an IPv6 /64 (RFC 6177)."""
    if address is None or ":" not in address:
        return address or "local"
    return str(ip_network(f"{address}/64", strict=False))
