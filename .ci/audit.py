#!/usr/bin/env python3
"""Ask whether a version that we deploy has a known vulnerability, and write an SBOM.

    AUDIT=1 .ci/audit.py [SBOM]    needs the vulnerability database of the package index

Ends with 0 if all was asked about and nothing found, 1 if something was found, and 2 if
not everything could be asked about: pip-audit itself calls that "no known
vulnerabilities". Without AUDIT=1 it says so and ends with 0.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from packaging.markers import Marker

ROOT = Path(__file__).resolve().parent.parent
LOCK = ROOT / "requirements.txt"
AUDITED = [LOCK, ROOT / "requirements-tracing.txt"]
CLEAN, FOUND, NOT_ASKED = 0, 1, 2


def locked(text: str, *, here: bool) -> set[str]:
    """The packages of a lock file: all, or those for this system."""
    entries = re.findall(r"(?m)^([\w.-]+)==[^\s;]+(?: ; (.+?))? \\$", text)
    return {n for n, marker in entries if not (here and marker) or fits(marker)}


def fits(marker: str) -> bool:
    return Marker(marker).evaluate()


def verdict(output: str, expected: set[str]) -> tuple[int, list[str]]:
    """The exit status for pip-audit's JSON, and what to say."""
    try:
        found: list[dict[str, Any]] = json.loads(output)["dependencies"]
    except (ValueError, KeyError):
        return NOT_ASKED, ["pip-audit gave no report: is the database out of reach?"]
    known = {each["name"].lower() for each in found if "vulns" in each}
    holes = [
        f"{each['name']} {each['version']}: {hole['id']}, fixed in"
        f" {', '.join(hole['fix_versions']) or 'no version yet'}"
        for each in found
        for hole in each.get("vulns", [])
    ]
    if holes:
        return FOUND, holes
    if missing := sorted(expected - known):
        return NOT_ASKED, [f"not asked about, {len(missing)}: {', '.join(missing)}"]
    return CLEAN, [f"{len(known)} packages, no known vulnerability"]


def install(folder: str) -> Path:
    """The tools, in an environment of their own."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    tools = Path(folder, "bin")
    options = ["--quiet", "--no-input", "--require-hashes"]
    pip = [tools / "python", "-m", "pip", "install", *options]
    subprocess.run([*pip, "-r", ROOT / "requirements-audit.txt"], check=True)
    return tools


def audit(tools: Path) -> tuple[int, list[str]]:
    options = ["--disable-pip", "--require-hashes", "--progress-spinner=off"]
    files = [f"--requirement={file}" for file in AUDITED]
    command = [tools / "pip-audit", *files, *options, "--format=json"]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = {n for file in AUDITED for n in locked(file.read_text(), here=True)}
    status, lines = verdict(done.stdout, expected)
    if status == NOT_ASKED and not done.stdout:
        lines += done.stderr.strip().splitlines()[-1:]
    return status, lines


def write_sbom(tools: Path, target: Path) -> None:
    options = ["--pyproject", ROOT / "pyproject.toml", "--output-reproducible"]
    command = [tools / "cyclonedx-py", "requirements", *options, "-o", target, LOCK]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL)
    parts = {part["name"] for part in json.loads(target.read_text())["components"]}
    if missing := locked(LOCK.read_text(), here=False) - parts:
        raise SystemExit(f"audit: the SBOM lacks {', '.join(sorted(missing))}")
    print(f"audit: {target} lists {len(parts)} packages")


def main() -> int:
    if os.environ.get("AUDIT") != "1":
        print(
            "audit: not run: set AUDIT=1 where the vulnerability database is in reach"
        )
        return 0
    with tempfile.TemporaryDirectory(prefix="taskapi-audit-") as folder:
        tools = install(folder)
        write_sbom(tools, Path(*sys.argv[1:2] or [folder, "sbom.json"]))
        status, lines = audit(tools)
    title = {CLEAN: "clean", FOUND: "FOUND", NOT_ASKED: "COULD NOT ASK"}[status]
    for line in lines:
        print(f"audit: {title}: {line}")
    return status


if __name__ == "__main__":
    sys.exit(main())
