"""Bodies that are no JSON, or JSON that readers disagree about."""

import json
from typing import Any

from tests.live.corpus import BATCH, LOGIN, SECRET, TASK, TASKS, Case, case, http, post

# Of a call of accounts.
MAX_ACCOUNT_BYTES = 64 * 1024
DEPTHS = (40, 200, 900, 960, 980, 1000, 5000)
MALFORMED: dict[str, bytes] = {
    "2 KB of [": b"[" * 2048,
    "2 KB of [ and ]": b"[" * 1024 + b"]" * 1024,
    "2 KB of {": b'{"a":' * 410,
    "1 MB of [": b"[" * 2**20,
    "arrays in a field": b'{"title": ' + b"[" * 2000 + b"]" * 2000 + b"}",
    "objects in a field": b'{"title": ' + b'{"a":' * 2000 + b"1" + b"}" * 2000 + b"}",
    "NUL": b"\0",
    "NUL before": b'\0{"title": "a"}',
    "NUL after": b'{"title": "a"}\0',
    "NUL in text": b'{"title": "a\0b"}',
    "NUL in a name": b'{"ti\0tle": "a"}',
    "line end in text": b'{"title": "a\nb"}',
    "escape character in text": b'{"title": "\x1b[2J"}',
    "half an escape": b'{"title": "\\u12"}',
    "unknown escape": b'{"title": "\\x41"}',
    "backslash at the end": b'{"title": "\\',
    "NaN": b'{"title": NaN}',
    "NaN alone": b"NaN",
    "Infinity": b'{"title": Infinity}',
    "-Infinity": b'{"title": -Infinity}',
    "nan": b'{"title": nan}',
    "5000 digits": b'{"title": ' + b"9" * 5000 + b"}",
    "minus 5000 digits": b'{"title": -' + b"9" * 5000 + b"}",
    "1_0": b'{"title": 1_0}',
    "Arabic digits": '{"title": \u0661\u0662}'.encode(),
    "full-width digits": b'{"title": \xef\xbc\x91\xef\xbc\x92}',
    "hexadecimal": b'{"title": 0x10}',
    "octal": b'{"title": 010}',
    "plus": b'{"title": +1}',
    "no digit before the point": b'{"title": .5}',
    "no digit after the point": b'{"title": 5.}',
    "no exponent": b'{"title": 1e}',
    "name twice": b'{"title": "a", "title": "b"}',
    "name twice, once escaped": b'{"title": "a", "\\u0074itle": "b"}',
    "name twice, same value": b'{"title": "a", "title": "a"}',
    "name twice, further in": b'{"title": {"a": 1, "a": 2}}',
    "login twice": b'{"email": "a@b.c", "password": "x", "email": "d@e.f"}',
    "invalid UTF-8": b'{"title": "\xff"}',
    "UTF-8 cut short": b'{"title": "\xe2\x82"}',
    "overlong UTF-8": b'{"title": "\xc0\xaf"}',
    "overlong quote": b'{"title": \xc0\xa2a"}',
    "surrogate in UTF-8": b'{"title": "\xed\xa0\x80"}',
    "surrogate pair in UTF-8": b'{"title": "\xed\xa0\xbd\xed\xb8\x80"}',
    "beyond Unicode": b'{"title": "\xf4\x90\x80\x80"}',
    "Latin-1": b'{"title": "\xe9t\xe9"}',
    "two BOMs": b'\xef\xbb\xbf\xef\xbb\xbf{"title": "a"}',
    "BOM inside": b'{\xef\xbb\xbf"title": "a"}',
    "UTF-16 with BOM": '{"title": "a"}'.encode("utf-16"),
    "UTF-16 LE": '{"title": "a"}'.encode("utf-16-le"),
    "UTF-16 BE": '{"title": "a"}'.encode("utf-16-be"),
    "UTF-32": '{"title": "a"}'.encode("utf-32"),
    "UTF-7": b"+AHsAIgB0AGkAdABsAGUAIgA6ACIAYQAiAH0-",
    "blank": b" \t\r\n",
    "form feed": b'\x0c{"title": "a"}',
    "no-break space": '\u00a0{"title": "a"}'.encode(),
    "two values": b'{"title": "a"}{"title": "b"}',
    "two lines": b'{"title": "a"}\n{"title": "b"}',
    "comma at the end": b'{"title": "a",}',
    "comment": b'{"title": "a" /* b */}',
    "line comment": b'{"title": "a"} // b',
    "single quotes": b"{'title': 'a'}",
    "no quotes": b"{title: 1}",
    "open object": b'{"title": "a"',
    "open after a password": f'{{"password": "{SECRET}"'.encode(),
    "open text": b'{"title": "a',
    "undefined": b'{"title": undefined}',
    "True": b'{"title": True}',
    "record separator": b'\x1e{"title": "a"}\n',
    "guard of some servers": b')]}\',\n{"title": "a"}',
    "XML": b'<?xml version="1.0"?><!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
    "YAML": b"!!python/object/apply:os.system [id]",
    "pickle": b"\x80\x04\x95\x0c\x00\x00\x00",
    "gzip": b"\x1f\x8b\x08\x00" + bytes(16),
    "form": b"title=a&status=DONE",
    "MessagePack": b"\x81\xa5title\xa1a",
}
# The value of a text field: the JSON, and the text kept where it is to be accepted.
VALUES: dict[str, tuple[str, str | None]] = {
    "1e400": ("1e400", None),
    "-1e400": ("-1e400", None),
    "1e-400": ("1e-400", None),
    "-0": ("-0", None),
    "4000 digits": ("9" * 4000, None),
    "1.5": ("1.5", None),
    "2^64": ("18446744073709551616", None),
    "true": ("true", None),
    "null": ("null", None),
    "array": ('["a"]', None),
    "object": ('{"$ne": null}', None),
    "escaped NUL": (r'"a\u0000b"', None),
    "escaped NUL alone": (r'"\u0000"', None),
    "lone high surrogate": (r'"a\ud800"', None),
    "lone low surrogate": (r'"\udc00a"', None),
    "surrogates the wrong way round": (r'"\ude00\ud83d"', None),
    "high surrogate twice": (r'"\ud83d\ud83d\ude00"', None),
    "nothing": ('""', None),
    "blank": (r'" \t "', None),
    "blank beyond ASCII": (r'"\u2003\u3000"', None),
    "256 characters": (f'"{"a" * 256}"', None),
    "a million characters": (f'"{"a" * 10**6}"', None),
    "255 characters of 4 bytes": (f'"{"😀" * 255}"', "😀" * 255),
    "blanks around": (r'" \u00a0 a \t"', " \u00a0 a \t"),
    "surrogate pair": (r'"\ud83d\ude00"', "😀"),
    "escaped control characters": (r'"a\r\n\t\u001b[2Jb"', "a\r\n\t\x1b[2Jb"),
    "right to left": (r'"\u202egpj.exe"', "\u202egpj.exe"),
    "zero width": (r'"a\u200bb\ufeff"', "a\u200bb\ufeff"),
    "noncharacter": (r'"\uffff"', "\uffff"),
    "combining": (r'"e\u0301"', "e\u0301"),
    "markup": (r'"<script>alert(1)</script>"', "<script>alert(1)</script>"),
    "SQL": ('"a\'); DROP TABLE tasks; --"', "a'); DROP TABLE tasks; --"),
    "format": (r'"%s{0.__class__}%(a)d"', "%s{0.__class__}%(a)d"),
    "template": ('"{{ 7*7 }}${7*7}"', "{{ 7*7 }}${7*7}"),
    "look-up": ('"${jndi:ldap://127.0.0.1/a}"', "${jndi:ldap://127.0.0.1/a}"),
    "Arabic digits": ('"\u0661\u0662"', "\u0661\u0662"),
    "number as text": ('"1e400"', "1e400"),
}
# Fields of a task beside the title; all refused.
FIELDS: dict[str, str] = {
    "description with NUL": r'"description": "\u0000"',
    "description with half a character": r'"description": "\ud800"',
    "description too long": f'"description": "{"a" * 5001}"',
    "description a number": '"description": 1',
    "description an object": '"description": {"a": 1}',
    "status unknown": '"status": "LATER"',
    "status in small letters": '"status": "done"',
    "status with a blank": '"status": "DONE "',
    "status with NUL": r'"status": "DONE\u0000"',
    "status with half a character": r'"status": "\ud800"',
    "status null": '"status": null',
    "status an array": '"status": ["DONE"]',
    "status an object": '"status": {"DONE": 1}',
    "priority a number": '"priority": 1',
    "priority huge": '"priority": 1e400',
    "priority true": '"priority": true',
    "priority as text of a number": '"priority": "1"',
    "priority an array": '"priority": []',
    "date a number": '"dueDate": 1767225600',
    "date huge": '"dueDate": 1e400',
    "date an object": '"dueDate": {"$date": 1}',
    "date with NUL": r'"dueDate": "2026-01-01T00:00:00Z\u0000"',
    "unknown name": '"owner": 1',
    "unknown name with NUL": r'"a\u0000": 1',
    "unknown name with half a character": r'"\ud800": 1',
    "unknown name, very long": f'"{"a" * 100_000}": 1',
    "name with the wrong case": '"Title": "a"',
    "prototype": '"__proto__": {"isAdmin": true}',
    "class": '"__class__": "User"',
    "user": '"user": "00000000-0000-4000-8000-000000000000"',
    "column": '"due_at": null',
    "lookup": '"user__email": "a@b.c"',
    "thousands of unknown names": ", ".join(f'"x{n}": 1' for n in range(3000)),
}
VERSIONS = (
    '"1"', "1.0", "1e0", "true", "0", "-1", "2147483648", "9223372036854775808",
    "9" * 4000, "1e400", "[1]", "{}", "null", '"v1"',
)  # fmt: skip
BATCHES: dict[str, str] = {
    "not an array": '{"operations": {}}',
    "empty": '{"operations": []}',
    "null": '{"operations": null}',
    "text": '{"operations": "create"}',
    "array alone": "[]",
    "operation null": '{"operations": [null]}',
    "operation an array": '{"operations": [[]]}',
    "operation text": '{"operations": ["delete"]}',
    "unknown op": '{"operations": [{"op": "drop"}]}',
    "op an array": '{"operations": [{"op": ["create"]}]}',
    "data text": '{"operations": [{"op": "create", "data": "a"}]}',
    "data with NUL": r'{"operations": [{"op": "create", "data": {"title": "\u0000"}}]}',
    "name with NUL": r'{"operations": [{"op": "create", "data": {"\u0000": 1}}]}',
    "half a character": r'{"operations": [{"op": "create", "data": {"\udfff": 1}}]}',
    "id a number": '{"operations": [{"op": "delete", "id": 1}]}',
    "id huge": f'{{"operations": [{{"op": "delete", "id": {"9" * 4000}}}]}}',
    "id with braces": '{"operations": [{"op": "delete", "id": "{~TASK~}"}]}',
    "id as URN": '{"operations": [{"op": "delete", "id": "urn:uuid:~TASK~"}]}',
    "id in Arabic digits": '{"operations": [{"op": "delete", "id": "\u0661\u0662"}]}',
    "id with NUL": r'{"operations": [{"op": "delete", "id": "~TASK~\u0000"}]}',
    "101 operations": json.dumps(
        {"operations": [{"op": "create", "data": {"title": "a"}}] * 101}
    ),
    "good ones before a bad one": json.dumps(
        {
            "operations": [
                *[{"op": "create", "data": {"title": "never"}}] * 9,
                {"op": "create", "data": {}},
            ]
        }
    ),
    "name twice": '{"operations": [{"op": "create", "op": "delete", "id": "~TASK~"}]}',
    "deep": '{"operations": ' + "[" * 3000 + "]" * 3000 + "}",
}


def both(name: str, login: bytes, task: bytes, signed: Any, **more: Any) -> list[Case]:
    """To where bodies are read without a token, and to where one is wanted first."""
    return [
        case(f"login: {name}", post(LOGIN, login), more.pop("public"), **more),
        case(f"tasks: {name}", post(TASKS, task), signed, 401, **more),
    ]


def malformed() -> list[Case]:
    cases: list[Case] = []
    for name, body in MALFORMED.items():
        public = 413 if len(body) > MAX_ACCOUNT_BYTES else 400
        cases += both(name, body, body, 400, public=public, code="MALFORMED_JSON")
    return cases


def values() -> list[Case]:
    cases = []
    for name, (value, kept) in VALUES.items():
        login = f'{{"email": {value}, "password": "{SECRET}"}}'.encode()
        is_long = len(value) > MAX_ACCOUNT_BYTES
        status = 413 if is_long else 401 if kept else 400
        cases.append(case(f"login: e-mail {name}", post(LOGIN, login), status))
        secret = f'{{"email": "a@example.com", "password": {value}}}'.encode()
        message = post(LOGIN, secret)
        statuses = 413 if is_long else {400, 401}
        cases.append(case(f"login: password {name}", message, statuses))
        body = f'{{"title": {value}}}'.encode()
        keeps = {"title": kept} if kept else {}
        status = 201 if kept else 400
        message = post(TASKS, body)
        cases.append(case(f"tasks: title {name}", message, status, 401, keeps=keeps))
    return cases


def fields() -> list[Case]:
    return [
        case(f"tasks: {name}", post(TASKS, task_with(text)), 400, 401)
        for name, text in FIELDS.items()
    ]


def task_with(text: str) -> bytes:
    return f'{{"title": "Never made", {text}}}'.encode()


def versions() -> list[Case]:
    return [
        case(
            f"version {version[:9]} ({len(version)} characters)",
            http(
                "PATCH",
                f"{TASKS}/{TASK}",
                f'{{"version": {version}, "title": "Never"}}'.encode(),
            ),
            400,
            401,
        )
        for version in VERSIONS
    ]


def batches() -> list[Case]:
    return [
        case(f"batch: {name}", post(BATCH, body.encode()), 400, 401)
        for name, body in BATCHES.items()
    ]


def deep() -> list[Case]:
    """In a field that is ignored, so that nothing but the depth can be refused."""
    cases = []
    for depth in DEPTHS:
        nested = "[" * depth + "]" * depth
        body = task_with(f'"updatedAt": {nested}')
        # The body is read again to be compared with a later one of the same key.
        for fields in ((), (f"Idempotency-Key: deep-{depth}",)):
            name = f"depth {depth}{' with a key' if fields else ''}"
            message = post(TASKS, body, *fields)
            cases.append(case(name, message, 400, 401, code="MALFORMED_JSON"))
    return cases


CASES = [*malformed(), *values(), *fields(), *versions(), *batches(), *deep()]
