"""How much memory the text of a body takes, told from its bytes.

Python keeps one, two or four bytes of each character of a string, as its widest
character needs (PEP 393): one emoji makes 16 MB of 4 MB of letters.
"""

MAX_TEXT_FACTOR = 4  # of the bytes of a body to those of its text
CONTINUATION = bytes(range(0x80, 0xC0))  # of UTF-8: what starts no character
BEYOND_BMP = bytes(range(0xF0, 0x100))  # starts what takes four bytes
ESCAPE_BYTES = 6  # as \u0041
HIGH_SURROGATES = (rb"\ud8", rb"\ud9", rb"\uda", rb"\udb")


def text_bytes(body: bytes) -> int:
    """The memory of the text of a body of JSON, or of its strings if that is more.

    Both as if all of it was one string; the strings without what escapes take besides.
    """
    if body.isascii() and rb"\u" not in body:
        return len(body)
    width, characters = raw_width(body), len(without(body, CONTINUATION))
    # Of two backslashes, the second escapes nothing.
    rest = body.replace(rb"\\", b"x")
    shorter = len(body) - len(rest) + rest.count(rb"\u") * (ESCAPE_BYTES - 1)
    wider = max(width, escaped_width(rest))
    return max(width * characters, wider * (characters - shorter))


def without(body: bytes, some: bytes) -> bytes:
    return body.translate(None, some)


def raw_width(body: bytes) -> int:
    """The bytes of each character as it is in the body; 2 where 1 might do."""
    if body.isascii():
        return 1
    return 2 if len(without(body, BEYOND_BMP)) == len(body) else 4


def escaped_width(body: bytes) -> int:
    """The bytes of each character for which there is an escape."""
    if rb"\u" not in body:
        return 1
    lower = body.lower()
    return 4 if any(each in lower for each in HIGH_SURROGATES) else 2
