"""Paths, methods and request lines."""

from tests.live.corpus import (
    AUTHORIZATION,
    EVIL,
    OURS,
    TASK,
    TASKS,
    Case,
    case,
    get,
    http,
    post,
)

ID = "00000000-0000-4000-8000-000000000000"
# No route of ours, whatever a normalising reader would make of it.
PATHS = (
    "//", "/api", "/api/", "/api/tasks/", "//api/tasks", "/api//tasks",
    "/API/tasks", "/api/./tasks", "/api/x/../tasks", "/api/tasks/../../etc/passwd",
    "/../../etc/passwd", "/api/%2e%2e/tasks", "/api%5ctasks", "/api\\tasks",
    "/api/tasks;a=b", "/api/tasks%3Flimit=1", "/api/tasks%00", "/api/tasks%00.json",
    "/api/tasks%20", "/api/tasks%0a", "/api/tasks%0d%0aSet-Cookie:%20a=b",
    "/api/tasks.json", "/api/tasks/.", "/api/tasks%", "/api/tasks%zz",
    "/api/tasks%u0061", "/%61pi/t%61sks/", "/api/%ED%A0%80", "/api/%FF%FE",
    "/api/%C0%AE%C0%AE/tasks", "/api/%EF%BC%8Ftasks", "/api/tasks/1", "/api/tasks/-1",
    "/api/tasks/null", "/api/tasks/undefined", "/api/tasks/%D9%A1", "/api/tasks/NaN",
    f"/api/tasks/{{{ID}}}", f"/api/tasks/urn:uuid:{ID}",
    f"/api/tasks/{ID.replace('-', '')}", f"/api/tasks/{ID}%00", f"/api/tasks/{ID}%0a",
    f"/api/tasks/{ID}/", f"/api/tasks/{ID}x",
    "/api/tasks/batch/x",
    f"/api/tasks/{'a' * 3900}", "/api/tasks/trash/x", "/api/auth/sessions/x",
    "/static/", "/static/../manage.py", "/static/..%2f..%2fmanage.py", "/static/%00",
    "/static/....//manage.py", "/.git/config", "/.env", "/manage.py", "/etc/passwd",
    "/wp-login.php", "/actuator/env", "/server-status", "/debug", "/__debug__/",
    "/robots.txt", "/api/schema/", "/api/docs/", "/media/a",
    "/'\"><script>alert(1)</script>", "/%3Cscript%3E", "/{{7*7}}", "/${7*7}",
    "/%25%30%30",
)  # fmt: skip
METHODS = (
    "PROPFIND",
    "TRACE",
    "PUT",
    "DELETE",
    "PATCH",
    "FOO",
    "COPY",
    "LINK",
    "QUERY",
)
REQUEST_LINES: dict[str, bytes] = {
    "a method in small letters": b"get /api/tasks HTTP/1.1",
    "a method of signs": b"G<>T /api/tasks HTTP/1.1",
    "a method of one letter": b"G /api/tasks HTTP/1.1",
    "a method of 500 letters": b"G" * 500 + b" /api/tasks HTTP/1.1",
    "a method with NUL": b"GET\0 /api/tasks HTTP/1.1",
    "no target": b"GET HTTP/1.1",
    "no version": b"GET /api/tasks",
    "nothing": b" ",
    "two blanks": b"GET  /api/tasks HTTP/1.1",
    "a tab": b"GET\t/api/tasks\tHTTP/1.1",
    "Latin-1 in the target": b"GET /api/t\xe2sks HTTP/1.1",
    "UTF-8 in the target": b"GET /api/t\xc3\xa2sks HTTP/1.1",
    "Latin-1 in the query": b"GET /api/tasks?q=\xe9 HTTP/1.1",
    "UTF-8 in the query": b"GET /api/tasks?q=\xc3\xa9 HTTP/1.1",
    "a fragment": b"GET /api/tasks#a HTTP/1.1",
    "a blank in the target": b"GET /api/tasks?q=a b HTTP/1.1",
    "NUL in the target": b"GET /api/\0tasks HTTP/1.1",
    "a control character in the target": b"GET /api/\x1btasks HTTP/1.1",
    "carriage return in the target": b"GET /api/\rtasks HTTP/1.1",
    "a blank before": b" GET /api/tasks HTTP/1.1",
    "HTTP/0.9": b"GET /api/tasks HTTP/0.9",
    "HTTP/1.2": b"GET /api/tasks HTTP/1.2",
    "HTTP/2.0": b"GET /api/tasks HTTP/2.0",
    "HTTP/3": b"GET /api/tasks HTTP/3",
    "HTTP/1.1x": b"GET /api/tasks HTTP/1.1x",
    "HTTP/11": b"GET /api/tasks HTTP/11",
    "HTTP/1,1": b"GET /api/tasks HTTP/1,1",
    "http/1.1": b"GET /api/tasks http/1.1",
    "HTTPS/1.1": b"GET /api/tasks HTTPS/1.1",
    "RTSP": b"DESCRIBE /a RTSP/1.0",
    "HTTP/2 by prior knowledge": b"PRI * HTTP/2.0",
    "an asterisk": b"GET * HTTP/1.1",
    "an authority": b"CONNECT localhost:80 HTTP/1.1",
    "an authority to read": b"GET localhost:80 HTTP/1.1",
    "a path without its slash": b"GET api/tasks HTTP/1.1",
    "a query alone": b"GET ?limit=1 HTTP/1.1",
    "another scheme": b"GET file:///etc/passwd HTTP/1.1",
    "no scheme": b"GET ://localhost/ HTTP/1.1",
    "a broken address": b"GET http://[::1/api/tasks HTTP/1.1",
    "another host": f"GET http://{EVIL}/nothing HTTP/1.1".encode(),
    "the host of a user": f"GET http://a:b@{EVIL}/nothing HTTP/1.1".encode(),
    "a host after two slashes": f"GET //{EVIL}/nothing HTTP/1.1".encode(),
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH": b"SSH-2.0-OpenSSH_9.6",
    "SMTP": b"EHLO localhost",
    "PROXY": b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2",
    "Redis": b"*1\r\n$4\r\nPING",
}
# Which of those are well-formed after all, and lead nowhere.
NOWHERE = {
    "a method of one letter": {400, 401, 405},
    "no scheme": {400, 404},
    "a fragment": {400, 404},
    "an asterisk": {400, 404},
    "an authority": {400, 404, 405},
    "a host after two slashes": {400, 404},
    "another host": {400, 404},
    "the host of a user": {400, 404},
    "HTTP/1.2": {400, 401, 200},
    "another scheme": {400, 404},
    "a query alone": {400, 404},
    "a path without its slash": {400, 404},
}


def paths() -> list[Case]:
    found = [case(f"path {path[:50]!r}", get(path), 404) for path in PATHS]
    same = {
        "/%61%70%69/tasks": 200,
        "/api%2ftasks": 200,
        "http://localhost/api/tasks": 200,
    }
    return [
        *found,
        *(
            case(f"path {path}", get(path), status, 401)
            for path, status in same.items()
        ),
        case("path of 4 KB", get("/api/" + "a" * 4100), {414, 404}),
        case("path of 100 KB", get("/api/" + "a" * 100_000), 414),
        case("query of 100 KB", get(f"{TASKS}?q={'a' * 100_000}"), 414),
        case("path of 1 MB", get("/" * 2**20), 414),
    ]


def methods() -> list[Case]:
    """Nothing but the method decides, and it is taken as it is."""
    one = f"{TASKS}/{TASK}"
    unknown = [
        case(f"{method} {target}", http(method, target), 405, {401, 405})
        for target in (TASKS, f"{TASKS}/stats")
        for method in METHODS
    ]
    overridden = [
        case(f"POST as {header}", post(one, b"{}", header), 405, 401)
        for header in (
            "X-HTTP-Method-Override: DELETE",
            "X-HTTP-Method: DELETE",
            "X-Method-Override: PATCH",
        )
    ]
    return [
        *unknown,
        *overridden,
        case("GET as DELETE", get(one, "X-HTTP-Method-Override: DELETE"), 200, 401),
        case("POST for a form's DELETE", post(one, b"_method=DELETE"), {405, 400}, 401),
        case("GET of login", get("/api/auth/login"), 405),
        case("HEAD of login", http("HEAD", "/api/auth/login"), 405),
        case("HEAD of nothing", http("HEAD", "/nothing"), 404),
        case("HEAD of tasks", http("HEAD", TASKS), 200, 401),
        case("TRACE of login", http("TRACE", "/api/auth/login"), 405),
        case("FOO of health", http("FOO", "/health"), 405),
        case("POST of livez", post("/livez", b""), 405),
        case("GET with a body", http("GET", TASKS, OURS), {200, 400}, 401),
        case("GET with a broken body", http("GET", TASKS, b"{"), {200, 400}, 401),
        case("HEAD with a body", http("HEAD", TASKS, OURS), {200, 400}, 401),
        case("DELETE with a broken body", http("DELETE", one, b"{"), 400, 401),
        case("DELETE with a task", http("DELETE", one, OURS), 400, 401),
        case("PATCH without a body", http("PATCH", one), 200, 401),
        case("PUT without If-Match", http("PUT", one, OURS), 428, 401),
    ]


def request_lines() -> list[Case]:
    rest = b"\r\n" + AUTHORIZATION + b"Host: localhost\r\n\r\n"
    return [
        case(f"line with {name}", line + rest, NOWHERE.get(name, {400}))
        for name, line in REQUEST_LINES.items()
    ]


def line_ends() -> list[Case]:
    head = AUTHORIZATION + b"Host: localhost\r\n\r\n"
    bare = get("/api/tasks").replace(b"\r\n", b"\n")
    return [
        case("line ends without carriage return", bare, {400}, then="ends"),
        case(
            "carriage returns alone",
            get("/api/tasks").replace(b"\r\n", b"\r"),
            {400},
            then="ends",
        ),
        case("blank lines first", b"\r\n\r\n" + get(TASKS), {200, 400}, {400, 401}),
        case("a line that does not end", b"GET /" + b"a" * 9000, {414}),
        case("NULs", bytes(5000) + b"\r\n" + head, {400, 414}),
        case("noise", bytes(range(128, 256)) * 40 + b"\r\n\r\n", {400, 414}),
    ]


CASES = [*paths(), *methods(), *request_lines(), *line_ends()]
