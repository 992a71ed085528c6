"""Which addresses webhooks may be sent to.

`ipaddress.is_global` is not enough: it lets NAT64 of private addresses through, and
knows nothing of addresses by which clouds tell secrets.
"""

from collections.abc import Collection
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
)

Network = IPv4Network | IPv6Network
# The IANA special-purpose registry (RFC 6890), multicast, and reserved space.
REFUSED_V4 = [
    IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
        *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24"),
        *("192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24"),
        *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4"),
        "240.0.0.0/4",
        # Azure's host, which is reachable from its virtual machines only.
        "168.63.129.16/32",
    )
]
GLOBAL_UNICAST = IPv6Network("2000::/3")
# IETF protocols with Teredo and ORCHID, documentation, 6to4, documentation again.
REFUSED_V6 = [
    IPv6Network(text)
    for text in ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")
]
NAT64 = IPv6Network("64:ff9b::/96")


def is_allowed(text: str, allowed: Collection[Network]) -> bool:
    """Whether to connect to this address: to those of `allowed`, and public ones.

    An IPv6 address with a zone leads to a neighbour, so it is none of these.
    """
    if "%" in text:
        return False
    address = embedded(ip_address(text))
    if any(address in network for network in allowed):
        return True
    if isinstance(address, IPv4Address):
        return not any(address in network for network in REFUSED_V4)
    is_refused = any(address in network for network in REFUSED_V6)
    return address in GLOBAL_UNICAST and not is_refused


def embedded(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 address stands for, if it does."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped:
        return address.ipv4_mapped
    if address in NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
