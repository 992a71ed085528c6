#!/usr/bin/env python3
"""Write docs/licences.md: the licence of everything that is deployed.

What the installed packages say of themselves, for what requirements.txt locks. Ends
with an error for a licence that is not listed below: somebody has to read it first.
"""

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TARGET = ROOT / "docs" / "licences.md"
PERMISSIVE = {
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "CC-BY-4.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "MIT-0",
    "PSF-2.0",
}
# Imported as it comes, and replaceable by whoever runs it: what LGPL and MPL ask for.
COPYLEFT = {
    **dict.fromkeys(("psycopg", "psycopg-binary"), "LGPL-3.0-only"),
    "certifi": "MPL-2.0",
    "tqdm": "MPL-2.0 AND MIT",
}
# Read in the package's licence file: its metadata has no SPDX expression, or the
# package is installed on some systems only.
READ = {
    "async-timeout": "Apache-2.0",
    "colorama": "BSD-3-Clause",
    "django-filter": "BSD-3-Clause",
    "drf-spectacular-sidecar": "BSD-3-Clause",
    "sqlparse": "BSD-3-Clause",
    "tzdata": "Apache-2.0",
    "uritemplate": "BSD-3-Clause OR Apache-2.0",
    "uvloop": "MIT OR Apache-2.0",
}
HEAD = """\
# Licences of what is deployed

`.ci/licences.py` writes this page from requirements.txt and the packages' metadata.
taskapi itself is MIT. `psycopg-binary` contains libpq and the libraries that it needs,
`drf-spectacular-sidecar` contains Swagger UI and Redoc, each under its own licence.

| package | version | licence |
|---|---|---|
"""


def locked() -> dict[str, str]:
    text = (ROOT / "requirements.txt").read_text()
    return dict(re.findall(r"(?m)^([\w.-]+)==(\S+)", text))


def licence(name: str) -> str:
    if name in READ:
        return READ[name]
    try:
        said = metadata(name)
    except PackageNotFoundError:
        return "not installed"
    return said.get("License-Expression") or said.get("License") or "not said"


def is_allowed(name: str, expression: str) -> bool:
    parts = re.split(r" (?:AND|OR) ", expression)
    return set(parts) <= PERMISSIVE or COPYLEFT.get(name) == expression


def table(found: dict[str, str], versions: dict[str, str]) -> str:
    rows = [
        f"| {name} | {versions[name]} | {found[name]} |\n" for name in sorted(found)
    ]
    return HEAD + "".join(rows)


def main() -> int:
    versions = locked()
    found = {name: licence(name) for name in versions}
    refused = {n: text for n, text in found.items() if not is_allowed(n, text)}
    for name, text in refused.items():
        print(f"licences: {name}: {text!r} is not a listed licence", file=sys.stderr)
    if not refused:
        TARGET.write_text(table(found, versions))
    return 1 if refused or not found else 0


if __name__ == "__main__":
    sys.exit(main())
