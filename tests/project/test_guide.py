"""docs/guide.md is complete, and what compares its examples is not lenient."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings

from taskapi.api.errors import CODES
from tests.live.transcript import Example, examples, run, unfenced

DOCS: Path = settings.BASE_DIR / "docs"
GUIDE = (DOCS / "guide.md").read_text()
SCHEMA = yaml.safe_load((DOCS / "openapi.yaml").read_text())
PRINTED = """\
HTTP/1.1 201 Created\r
Server: gunicorn\r
ETag: "v1"\r
Location: /api/tasks/1\r
\r
{"id":"1","title":"Build API","dueDate":null,"version":1}
"""
SHOWN = """\
HTTP/1.1 201 Created
…
Location: /api/tasks/…
ETag: "v1"

{"id": "…", "title": "Build API",
 "dueDate": null, …}
"""


@pytest.mark.parametrize("path", sorted(SCHEMA["paths"]))
def test_guide_names_every_path(path: str) -> None:
    pattern = re.sub(r"(\\{\w+\\})", r"(\1|\\$\\w+)", re.escape(path))
    pattern = re.sub("^/api", r"(/api|\\$API)", pattern)

    assert re.search(rf"[ `\"]{pattern}(?![\w/])", GUIDE)


@pytest.mark.parametrize(
    "code", [*CODES.values(), "VALIDATION_ERROR", "MALFORMED_JSON"]
)
def test_guide_names_every_error(code: str) -> None:
    assert f"`{code}`" in GUIDE.partition("## Errors")[2].partition("\n## ")[0]


@pytest.mark.parametrize("name", ["status", "priority", "sort", "q", "limit", "cursor"])
def test_guide_names_every_parameter_of_lists(name: str) -> None:
    assert f"`{name}`" in GUIDE


def test_example_that_prints_what_it_shows_fits() -> None:
    assert Example(1, "", SHOWN).fits(PRINTED)
    assert Example(1, "", "").fits("\n")


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("201 Created", "200 OK"),
        ("ETag", "Etag"),
        ('"v1"', '"v2"'),
        ("Location: /api/tasks/1\r\n", ""),
        ("/api/tasks/", "/tasks/"),
        ('"title"', '"name"'),
        ("Build API", "BuildAPI"),
        ("null", '"null"'),
        (',"version":1', ""),
        ("\r\n\r\n", "\r\n"),
        ("}\n", "}\nmore\n"),
        ("HTTP/1.1 201", "warning\nHTTP/1.1 201"),
    ],
)
def test_example_that_prints_something_else_does_not_fit(
    was: str, becomes: str
) -> None:
    assert was in PRINTED
    assert not Example(1, "", SHOWN).fits(PRINTED.replace(was, becomes))


@pytest.mark.parametrize("printed", ["x", PRINTED])
def test_example_that_shows_nothing_prints_nothing(printed: str) -> None:
    assert not Example(1, "", "").fits(printed)


def test_header_that_is_not_shown_is_none_without_an_ellipsis() -> None:
    assert not Example(1, "", SHOWN.replace("…\nLoc", "Loc")).fits(PRINTED)


@pytest.mark.parametrize(
    "page",
    [
        "```sh\ntrue\n```\n\n```text\n\n```\n\n```text\nlost\n```",
        "```bash\ntrue\n```",
        "```\ntrue\n```",
        "~~~sh\ntrue\n~~~\n\n~~~json\n{}\n~~~",
        "```text\nlost\n```\n\n```sh\ntrue\n```",
    ],
)
def test_code_that_would_not_be_run_is_found(page: str) -> None:
    with pytest.raises(AssertionError):
        examples(page)


@pytest.mark.parametrize("page", ["Do:\n\n    curl -s x\n", "```sh\nnever closed\n"])
def test_code_outside_of_fences_is_found(page: str) -> None:
    assert unfenced(GUIDE) == []
    assert len(unfenced(page)) == 1


@pytest.mark.parametrize(
    "commands", ["false", "exit 0", "echo $((", "printf x >/none/x"]
)
def test_example_that_fails_is_found(commands: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="not all were run"):
        run([Example(1, commands, ""), Example(2, "true", "")], tmp_path, answers={})


def test_examples_share_a_shell(tmp_path: Path) -> None:
    typed = [Example(1, "name=Ada", ""), Example(2, 'read -r it; echo "$name $it"', "")]
    (tmp_path / "log").write_text("mail: token\n")

    printed = run(typed, tmp_path, answers={r"mail: (\w+)": tmp_path / "log"})

    assert printed == ["", "Ada token\n"]
