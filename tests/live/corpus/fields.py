"""Header fields: whom one claims to be, and to talk to."""

from tests.live.corpus import (
    AUTHORIZATION,
    EVIL,
    JSON,
    LOGIN,
    OURS,
    TASK,
    TASKS,
    TOKEN,
    Case,
    case,
    get,
    http,
    post,
)

HOSTS = (
    EVIL, f"localhost@{EVIL}", f"{EVIL}:80@localhost", f"localhost.{EVIL}",
    "localhost:80abc", "localhost:-1", "localhost:", "[::1", "[::1]x", "a b",
    "localhost/", "", "localhost\\", "0.0.0.0", "127.1", "2130706433", "*", "..", ".",
    f"localhost, {EVIL}", "a" * 300, "l\xf6calhost", "localhost\x0b", "%6cocalhost",
    "localhost?a", "localhost#a",
)  # fmt: skip
WELL_KNOWN = (
    "LOCALHOST",
    "localhost:99999999",
    "localhost:1",
    "127.0.0.1:8000",
    "localhost.",
)
# They change nothing: no proxy is trusted unless NUM_PROXIES says so.
CLAIMS = (
    f"X-Forwarded-Host: {EVIL}", f"Forwarded: for=1.2.3.4;host={EVIL};proto=https",
    f"X-Original-Host: {EVIL}", f"X-Host: {EVIL}", "X-Original-URL: /admin",
    "X-Rewrite-URL: /admin", "X-Forwarded-For: 1.2.3.4", "X-Forwarded-For: ' OR 1=1",
    "X-Forwarded-For: " + "1.2.3.4, " * 800 + "x", "X-Forwarded-For: ::ffff:127.0.0.1",
    "X-Forwarded-For: [::1]:99999", "X-Forwarded-For: fe80::1%eth0",
    "X-Forwarded-For: \xff\xfe", "X-Forwarded-For:", "X-Real-IP: 127.0.0.1",
    "X-Client-IP: 127.0.0.1", "True-Client-IP: 127.0.0.1", "X-Forwarded-Proto: https",
    "X-Forwarded-Proto: ftp", "X-Forwarded-Proto: https, http",
    "X-Forwarded-Proto: https\r\nX-Forwarded-SSL: off",
    "X-Forwarded-Port: 99999999", "X-Forwarded-Prefix: /../", "X-Forwarded-Server: a",
    f"Origin: http://{EVIL}", f"Referer: http://{EVIL}/", "Origin: null",
    "X-Remote-User: admin", "Remote-User: admin", "X-Forwarded-User: admin",
    "X-User-Id: 1", "X-Request-Id: a b", "X-Request-Id: \xff",
    f"X-Request-Id: {'a' * 65}", "X-Request-Id:", "X-Request-Id: a\tb",
    "X-Request-Id: <script>", "X-Request-Id: ${jndi:ldap://a}",
    "Cookie: sessionid=a; csrftoken=b", f"Cookie: {'a=b; ' * 1500}", "Cookie: =",
    "Cookie: ;;;", 'Cookie: sessionid="\\000"', "Cookie: \xff=\xfe", "Range: bytes=0-1",
    "Range: bytes=a", "If-Modified-Since: yesterday", "If-Range: a", "Upgrade: h2c",
    "Upgrade: websocket", "Connection: upgrade", "Max-Forwards: 0", "TE: trailers",
    "Trailer: Host", "HTTP2-Settings: a", "Accept-Language: " + "a," * 3000,
    "Accept-Charset: utf-16", "Accept-Encoding: bz2;q=9", "User-Agent: \xff",
    "User-Agent: " + "a" * 7000, "User-Agent:", "traceparent: 00-" + "0" * 52,
    "traceparent: \xff", "tracestate: " + "a=b," * 500, "X-Taskapi: " + "a" * 8000,
    "Authorization2: a", "X-HTTP-Method-Override: \xff", "Prefer: respond-async",
    "Host-: a", "X_Forwarded_For: 1.2.3.4", "X_Request_Id: a", "Content_Length: 5",
)  # fmt: skip
# A trusted proxy's, that a server next to it could be asked to believe.
PREFIXES = (
    "SCRIPT_NAME: /x",
    "SCRIPT_NAME: /api",
    "PATH_INFO: /admin/",
    "Script-Name: /x",
)
MALFORMED: dict[str, str] = {
    "no colon": "Accept",
    "no name": ": a",
    "a blank before the colon": "Accept : a",
    "a tab before the colon": "Accept\t: a",
    "a line folded": "Accept: a,\r\n b",
    "folded first": " Accept: a",
    "NUL in a value": "Accept: a\0b",
    "a control character in a value": "Accept: a\x01b",
    "a carriage return in a value": "Accept: a\rb",
    "a line feed in a value": "Accept: a\nb",
    "NUL in a name": "Acc\0ept: a",
    "a name beyond ASCII": "Acc\xe9pt: a",
    "a name of signs": "Acc(ept): a",
    "a name in quotes": '"Accept": a',
    "two hosts": f"Host: {EVIL}",
    "the same host twice": "Host: localhost",
}
CONDITIONS = (
    "v1", '"v1', 'W/"v1"; "', '"a" "b"', ",", "W/", "w/\"v1\"", '"\x7f"', '"v1"\t"v2"',
    "**", "*, *", "'v1'", '"v1",x', "\xff", "", '"a" ' * 1500, '"' * 3000,
    ("W/" * 1500) + '"v1"', '" "',
)  # fmt: skip
KEYS = (
    "", '""', "\xe9", "a\tb", "a" * 256, '"' + "a" * 256 + '"', "\x7f", "\xc3\xa9",
)  # fmt: skip


def hosts() -> list[Case]:
    refused = [
        case(f"host {host[:30]!r}", get(TASKS, host=host), 400) for host in HOSTS
    ]
    return [
        *refused,
        *(case(f"host {host}", get(TASKS, host=host), 200, 401) for host in WELL_KNOWN),
        case("no host", get(TASKS, host=None), 400),
        case(
            "no host in HTTP/1.0",
            get(TASKS, host=None, version="HTTP/1.0"),
            {200, 400},
            {401, 400},
        ),
        case("bad host of a form", get("/admin/login/", host=EVIL), 400),
        case("bad host of no route", get("/nothing", host=EVIL), 400),
        case("bad host of login", post(LOGIN, b"{}", host=EVIL), 400),
    ]


def claims() -> list[Case]:
    same = [
        case(f"claims {claim[:40]!r}", get(TASKS, claim), 200, 401) for claim in CLAIMS
    ]
    prefixed = [
        case(f"prefix {field}", get(TASKS, field), {200, 400, 404}, {400, 401, 404})
        for field in PREFIXES
    ]
    logins = [
        case(f"login claims {claim[:40]!r}", post(LOGIN, b'{"email": "a"}', claim), 400)
        for claim in CLAIMS
    ]
    cookies = [
        case(f"admin {cookie[:40]!r}", get("/admin/", f"Cookie: {cookie}"), {302, 400})
        for cookie in (
            'sessionid="aaaaaaaa\\000aaaaaaaa"', 'csrftoken="\\000"',
            "sessionid=" + "a" * 7000, 'sessionid="\\377"', 'sessionid="\\"',
            "messages=a:b:c", "sessionid='; --",
        )
    ]  # fmt: skip
    return [*same, *prefixed, *logins, *cookies]


def malformed() -> list[Case]:
    fields = [
        case(f"field with {name}", get(TASKS, field), 400)
        for name, field in MALFORMED.items()
    ]
    return [
        *fields,
        case("an expectation", get(TASKS, "Expect: nothing"), 417),
        case("login with an expectation", post(LOGIN, b"{}", "Expect: nothing"), 417),
        case("200 fields", get(TASKS, *(f"A{n}: b" for n in range(200))), 431),
        case("a field of 20 KB", get(TASKS, f"A: {'a' * 20_000}"), 431),
        case("a field of 2 MB", get(TASKS, f"A: {'a' * 2**21}"), 431),
        case("a name of 20 KB", get(TASKS, f"{'A' * 20_000}: a"), 431),
        case(
            "fields of 200 KB",
            get(TASKS, *[f"A: {'a' * 4000}"] * 50),
            {431, 200},
            {431, 401},
        ),
        case("fields without an end", get(TASKS, "A: b\r\n" * 60_000)[:-4], 431),
    ]


def conditions() -> list[Case]:
    one, change = f"{TASKS}/{TASK}", b'{"title": "Never"}'
    cases = []
    for value in CONDITIONS:
        name = repr(value[:20])
        anonymous = {400, 401} if "\x7f" in value else 401
        cases += [
            case(
                f"If-Match {name}",
                http("PATCH", one, change, f"If-Match: {value}"),
                {400, 412},
                anonymous,
            ),
            case(
                f"If-None-Match {name}",
                get(one, f"If-None-Match: {value}"),
                {200, 400},
                anonymous,
            ),
            case(
                f"list If-None-Match {name}",
                get(TASKS, f"If-None-Match: {value}"),
                {200, 400},
                anonymous,
            ),
        ]
    return cases


def keys() -> list[Case]:
    refused = [
        case(
            f"key {key[:20]!r}",
            post(TASKS, OURS, f"Idempotency-Key: {key}"),
            400,
            {400, 401},
        )
        for key in KEYS
    ]
    twice = post(TASKS, OURS, "Idempotency-Key: a", "Idempotency-Key: b")
    return [*refused, case("two keys", twice, {201, 400}, 401)]


def repeated() -> list[Case]:
    """What may come once came twice."""
    bearer = f"Authorization: Bearer {TOKEN}"
    types = post(TASKS, OURS, f"Content-Type: {JSON}")
    plain = post(TASKS, OURS, "Content-Type: text/plain")
    one = get(TASKS, bearer).replace(AUTHORIZATION, b"")
    return [
        case(
            "two tokens",
            get(TASKS, bearer, bearer).replace(AUTHORIZATION, b""),
            {400, 401},
            401,
        ),
        case("one token", one, 200, 401),
        case("two types", types, {400, 415, 201}, {400, 401, 415}),
        case("two types that differ", plain, {400, 415}, {400, 401, 415}),
    ]


CASES = [
    *hosts(),
    *claims(),
    *malformed(),
    *conditions(),
    *keys(),
    *repeated(),
]
