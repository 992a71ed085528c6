"""What a body and a query say about how they are to be read."""

import zlib
from typing import Any

from tests.live.corpus import JSON, LOGIN, OURS, TASKS, Case, case, get, http, post

CHARSETS = (
    "idna", "punycode", "undefined", "rot13", "rot_13", "bz2", "bz2_codec", "zlib",
    "hex", "base64", "uu", "quopri", "unicode_escape", "raw_unicode_escape", "mbcs",
    "oem", "utf-7", "utf-8-sig", "utf-16", "utf-32", "latin-1", "ascii", "cp037",
    "shift_jis", "nonsense", "", "''", '"', "utf-8\\x00", "../../etc/passwd",
    "a" * 4000, "%C3%A9", "utf-8, idna", "\xff",
)  # fmt: skip
PARAMETERS = (
    "charset*=idna''%C3%A9",
    "charset*=nonsense''utf-8",
    "charset*=utf-8''bz2",
    "charset*0=id; charset*1=na",
    "charset=utf-8; charset=bz2",
    "CHARSET=IDNA",
    "charset =idna",
)
UTF_8 = ("utf-8", "UTF-8", "utf8", '"utf-8"')
# Body and media type; refused before the body is looked at.
MEDIA_TYPES = (
    "text/plain", "text/html", "text/json", "application/x-www-form-urlencoded",
    "multipart/form-data", "multipart/form-data; boundary=", "application/xml",
    "application/jsonp", "application/json-patch+json", "application/problem+json",
    "application", "/", "*/*", "application/*", ";", "=", "application/json/",
    "application/ json", "a" * 4000, "application/json\\", "json",
    "application/x-python-pickle", "application/json, text/plain",
)  # fmt: skip
JSON_STILL = ("APPLICATION/JSON", "application/json;", "application/json; a=b; a=c")
FORM = "multipart/form-data; boundary=b"
PART = b'--b\r\nContent-Disposition: form-data; name="title"'
MULTIPART: dict[str, tuple[str, bytes]] = {
    "whole": (FORM, PART + b"\r\n\r\na\r\n--b--\r\n"),
    "without an end": (FORM, PART + b"\r\n\r\na"),
    "without a blank line": (FORM, PART),
    "without a name": (FORM, b"--b\r\n\r\na\r\n--b--\r\n"),
    "boundary never comes": ("multipart/form-data; boundary=x", PART),
    "boundary beyond ASCII": ("multipart/form-data; boundary=\xe9", PART),
    "boundary too long": (f"multipart/form-data; boundary={'b' * 3000}", PART),
    "two boundaries": ("multipart/form-data; boundary=a; boundary=b", PART),
    "charset idna": (FORM + "; charset=idna", PART + b"\r\n\r\n\xc3\xa9\r\n--b--"),
    "base64 that is none": (
        FORM,
        PART + b"\r\nContent-Transfer-Encoding: base64\r\n\r\n!!!\r\n--b--",
    ),
    "file name of a path": (
        FORM,
        PART + b'; filename="../../etc/passwd"\r\n\r\na\r\n--b--',
    ),
    "10000 parts": (FORM, (PART + b"\r\n\r\na\r\n") * 10_000 + b"--b--"),
    "header of 20 KB": (FORM, PART + b"\r\nA: " + b"a" * 20_000 + b"\r\n\r\na--b--"),
    "nested": ("multipart/mixed; boundary=b", PART + b"\r\n\r\na\r\n--b--"),
}


def charsets() -> list[Case]:
    cases: list[Case] = []
    parameters = [*(f"charset={charset}" for charset in CHARSETS), *PARAMETERS]
    for parameter in parameters:
        media = f"{JSON}; {parameter}"
        name = parameter[:30].encode("unicode_escape").decode()
        query = http("GET", f"{TASKS}?q=%C3%A9", media=media, length=None)
        cases += [
            case(f"query read as {name}", query, 415),
            case(f"task read as {name}", post(TASKS, OURS, media=media), 415),
            case(f"login read as {name}", post(LOGIN, b"{}", media=media), 415),
        ]
    return cases


def readable() -> list[Case]:
    kept: dict[str, Any] = {"keeps": {"title": "Water the plants"}}
    return [
        *(
            case(f"task in {charset}", post(TASKS, OURS, media=media), 201, 401, **kept)
            for charset in UTF_8
            for media in [f"{JSON}; charset={charset}"]
        ),
        *(
            case(f"task as {media}", post(TASKS, OURS, media=media), 201, 401, **kept)
            for media in JSON_STILL
        ),
    ]


def media_types() -> list[Case]:
    cases = []
    for media in MEDIA_TYPES:
        name = media[:30]
        cases += [
            case(f"task as {name}", post(TASKS, OURS, media=media), 415, 401),
            case(f"login as {name}", post(LOGIN, b"{}", media=media), 415),
        ]
    for name, media in {"no type": None, "an empty type": ""}.items():
        cases += [
            case(f"task with {name}", post(TASKS, OURS, media=media), 415, 401),
            case(f"login with {name}", post(LOGIN, b"{}", media=media), 415),
        ]
    return cases


def multipart() -> list[Case]:
    cases = []
    for name, (media, body) in MULTIPART.items():
        refused = 415
        cases += [
            case(
                f"multipart {name}", post(TASKS, body, media=media), refused, {401, 415}
            ),
            case(f"multipart login {name}", post(LOGIN, body, media=media), {415, 413}),
        ]
    # Django reads forms by itself where no view of ours has a say.
    cases += [
        case(
            f"multipart admin {name}",
            post("/admin/login/", body, media=media),
            {400, 403, 413, 415},
        )
        for name, (media, body) in MULTIPART.items()
    ]
    fields = b"&".join(b"a%d=1" % n for n in range(2000))
    form = "application/x-www-form-urlencoded"
    cases.append(
        case("2000 form fields", post("/admin/login/", fields, media=form), {400, 403})
    )
    return cases


def encodings() -> list[Case]:
    """No coding of the content is taken off: what is left is no JSON."""
    packed = zlib.compress(OURS)
    bomb = zlib.compress(b"[" * 10**7)
    return [
        case(
            f"Content-Encoding {name}",
            post(TASKS, body, f"Content-Encoding: {coding}"),
            415,
        )
        for name, coding, body in [
            ("deflate", "deflate", packed),
            ("bomb", "deflate", bomb),
            ("gzip that is none", "gzip", b"\0" * 40),
        ]
    ]


def accepts() -> list[Case]:
    wanted = {
        "image/png": 406,
        "text/html": 406,
        "application/xml": 406,
        "application/json; q=0.000": {200, 406},
        "application/json; version=9" * 200: {200, 406, 400, 431},
        "a": 406,
        "/": 406,
        ";;;": 406,
        "*/*;" + "a=b;" * 1500: {200, 406},
        ",".join(["a/b"] * 1500): 406,
        "\xff\xfe": 406,
    }
    return [
        case(
            f"Accept {accept[:20]!r}",
            get(TASKS, f"Accept: {accept}"),
            status,
            {401, 406, 431},
        )
        for accept, status in wanted.items()
    ]


CASES = [
    *charsets(),
    *readable(),
    *media_types(),
    *multipart(),
    *encodings(),
    *accepts(),
]
