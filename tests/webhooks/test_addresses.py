"""Where webhooks may go: every way to write an address that is not public."""

from ipaddress import ip_network

import pytest

from tasks.webhooks.addresses import is_allowed

PUBLIC = [
    *("1.1.1.1", "93.184.216.34", "172.15.255.255", "172.32.0.0", "100.128.0.0"),
    *("192.0.1.1", "198.17.255.255", "198.20.0.0", "223.255.255.255"),
    *("2606:4700:4700::1111", "2a00:1450:4001:82f::200e", "2001:4860:4860::8888"),
    # The same, by other ways.
    *("::ffff:1.1.1.1", "64:ff9b::1.1.1.1"),
]
REFUSED = [
    *(
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.254",
        "10.0.0.1",
        "10.255.255.255",
    ),
    *("172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.0.1", "100.64.0.1"),
    # Where clouds tell secrets: most of them, Alibaba, Oracle, Azure.
    *("169.254.169.254", "169.254.170.2", "100.100.100.200", "192.0.0.192"),
    *("168.63.129.16", "fd00:ec2::254", "fe80::a9fe:a9fe"),
    *("192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255"),
    *("198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.255", "240.0.0.1"),
    "255.255.255.255",
    *(
        "::",
        "::1",
        "fe80::1",
        "fe80::1%eth0",
        "fec0::1",
        "fc00::1",
        "fd12::1",
        "ff02::1",
    ),
    *("2001:db8::1", "3fff::1", "100::1", "5f00::1", "4000::1", "::2"),
    # IPv4-mapped, IPv4-compatible, IPv4-translated.
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254"),
    *("::127.0.0.1", "::ffff:0:10.0.0.1"),
    # NAT64, that of a local network, 6to4, Teredo, ISATAP.
    *("64:ff9b::10.0.0.1", "64:ff9b::169.254.169.254", "64:ff9b:1::1.1.1.1"),
    *("2002:0a00:0001::", "2002:a9fe:a9fe::", "2002:0101:0101::"),
    *("2001:0:0a00:1::", "fe80::5efe:10.0.0.1"),
    "2606:4700::1%1",
]


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert is_allowed(address, [])


@pytest.mark.parametrize("address", REFUSED)
def test_other_addresses_are_not(address: str) -> None:
    assert not is_allowed(address, [])


@pytest.mark.parametrize(
    ("address", "allowed"),
    [
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("64:ff9b::10.1.2.3", True),
        ("fd00:1::5", True),
        ("10.2.0.1", False),
        ("fd00:2::5", False),
        ("127.0.0.1", False),
        ("1.1.1.1", True),
        ("fd00:1::5%eth0", False),
    ],
)
def test_networks_can_be_allowed(address: str, allowed: bool) -> None:
    networks = [ip_network("10.1.0.0/16"), ip_network("fd00:1::/32")]

    assert is_allowed(address, networks) is allowed
