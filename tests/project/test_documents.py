"""The pages that people read first are there, short, and lead where they say."""

import re
from pathlib import Path

import pytest
import yaml
from django.conf import settings

ROOT: Path = settings.BASE_DIR
PAGES = sorted(
    path
    for pattern in ("*.md", "docs/*.md", ".github/*.md")
    for path in ROOT.glob(pattern)
)
MAKEFILE = (ROOT / "Makefile").read_text()
LINK = re.compile(r"(?<!`)!?\[[^\]\n]*\]\(([^)\s]+)\)")
MAX_README_LINES = 150
MAX_IMAGE_BYTES = 200_000


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def prose(page: Path) -> str:
    """The page without its code, in which brackets are no links."""
    return re.sub(r"(?ms)^```.*?^```$|^ {4}.*?$", "", page.read_text())


def anchors(page: Path) -> set[str]:
    """Those that the forge gives the headings of a page."""
    headings = re.findall(r"(?m)^#+ (.+)$", prose(page))
    return {re.sub(r"[^\w\- ]", "", h).lower().replace(" ", "-") for h in headings}


def targets() -> set[str]:
    return set(re.findall(r"(?m)^([a-z]+):", MAKEFILE))


@pytest.mark.parametrize(
    "page",
    [
        *("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "LICENSE"),
        *("Makefile", ".editorconfig", ".pre-commit-config.yaml"),
        *(".github/ISSUE_TEMPLATE/bug.yml", ".github/pull_request_template.md"),
    ],
)
def test_page_is_there(page: str) -> None:
    assert (ROOT / page).is_file()


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= MAX_README_LINES


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_leads_somewhere(page: Path) -> None:
    for link in LINK.findall(prose(page)):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=name)
def test_readme_leads_to_every_page(page: Path) -> None:
    assert f"]({name(page)})" in (ROOT / "README.md").read_text()


def test_pictures_are_small_and_shown() -> None:
    readme = (ROOT / "README.md").read_text()
    images = list((ROOT / "docs" / "images").iterdir())

    assert len(images) == 2
    for image in images:
        assert image.stat().st_size < MAX_IMAGE_BYTES
        assert f"]({name(image)})" in readme


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_make_target_that_is_named_exists(page: Path) -> None:
    assert set(re.findall(r"(?m)(?:`|^ {4})make (\w+)", page.read_text())) <= targets()


def test_makefile_lists_its_targets() -> None:
    described = set(re.findall(r"(?m)^([a-z]+):.*## \w", MAKEFILE))
    [phony] = re.findall(r"(?m)^\.PHONY: (.+)$", MAKEFILE)

    assert described == targets() == set(phony.split())
    assert {"serve", "test", "check", "bench"} < targets()


def test_hooks_use_the_locked_ruff_and_nothing_from_elsewhere() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    [repository] = yaml.safe_load(text)["repos"]

    assert repository["repo"] == "local"
    assert "://" not in text
    for hook in repository["hooks"]:
        assert hook["entry"].startswith(".venv/bin/python -m ruff ")


def test_changelog_has_a_place_for_the_next_change() -> None:
    sections = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text())

    assert sections[0] == "[Unreleased]"
    for release in sections[1:]:
        assert re.fullmatch(r"\[\d+\.\d+\.\d+\] - \d{4}-\d{2}-\d{2}", release)


def test_security_policy_names_a_private_way_and_no_address() -> None:
    policy = (ROOT / "SECURITY.md").read_text()

    assert "private vulnerability reporting" in policy
    assert "@" not in policy
