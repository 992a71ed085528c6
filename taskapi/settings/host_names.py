"""What is wrong with an entry of ALLOWED_HOSTS, and how to write it."""

import re
from ipaddress import ip_address, ip_network

# What Django serves (django.http.request.host_validation_re), without the port.
HOST = re.compile(r"\.?[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


def explain(value: str) -> str | None:
    """A sentence for a value that matches no Host header; None if it can match."""
    if value == "*":
        return "List the hosts; * would accept any Host header."
    if not value:
        return "There is a comma too many."
    if is_host(value):
        return None
    if is_range(value):
        return f"{value!r} is a range: list each address that clients use by itself."
    names = [bare(part) for part in re.split(r"[\s;]+", value)]
    if all(map(is_host, names)):
        return f"Write {','.join(names)} instead of {value!r}."
    return f"{value!r} is not a host name such as api.example.com."


def is_host(text: str) -> bool:
    if not HOST.fullmatch(text):
        return False
    # Clients send the one short form of an address (RFC 5952). A name whose last label
    # is a number is none (RFC 1123, section 2.1).
    looks_like_address = text[0] == "[" or text.rpartition(".")[2].isdecimal()
    return not looks_like_address or is_address(text.strip("[]"))


def is_address(text: str) -> bool:
    try:
        return str(ip_address(text)) == text.lower()
    except ValueError:
        return False


def is_range(text: str) -> bool:
    try:
        return "/" in text and ip_network(text, strict=False).num_addresses > 0
    except ValueError:
        return False


def bare(text: str) -> str:
    """The host of a URL, as a client's Host header names it, without its port."""
    text = text.strip("\"'").removeprefix('["').removesuffix('"]')
    text = text.partition("://")[2] or text
    text = re.split(r"[/?#]", text.rpartition("@")[2])[0]
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    try:
        address = str(ip_address(text))
    except ValueError:
        host = re.sub(r":\d*$", "", text).removeprefix("*").rstrip(".")
        return host if host.isascii() else ascii_form(host)
    return f"[{address}]" if ":" in address else address


def ascii_form(host: str) -> str:
    """What browsers send for a name with other letters (RFC 5891), if there is one."""
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return host
