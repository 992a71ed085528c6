"""Examples of a page: what each says to type, and what it says comes of it.

A fence of `sh` is typed. The fence of `text` after it is what must be printed; without
one, nothing may be. There, `…` stands for some characters of the line (inside quotes:
of the text quoted), `…` alone on a line for any number of lines that are not empty.
Headers may come in any order. A line that begins with a space goes on with the JSON of
the line before.
"""

import os
import re
import subprocess
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from time import monotonic, sleep

FENCE = re.compile(r"(?ms)^ *(```|~~~)([^\n]*)\n(.*?)^ *\1$")
QUOTED = re.compile(r'("(?:[^"\\\n]|\\.)*")')
HEAD = re.compile(r"(?m)^(HTTP/.*\n)((?:(?!HTTP/|\{).+\n)*)")
ANY_LINES = "…\n"
MARK = "== end of example"
SECONDS = 120


@dataclass(frozen=True)
class Example:
    line: int
    commands: str
    expected: str

    def fits(self, printed: str) -> bool:
        return bool(pattern(self.expected).fullmatch(tidy(printed)))


def examples(page: str) -> list[Example]:
    """Every fence of the page; there is none that is neither typed nor compared."""
    fences = [(m.start(), m[2], m[3]) for m in FENCE.finditer(page)]
    found = []
    for (start, kind, text), after in pairwise([*fences, (0, "", "")]):
        if kind == "sh":
            expected = after[2] if after[1] == "text" else ""
            found.append(Example(page.count("\n", 0, start) + 1, text, expected))
    outputs = sum(bool(example.expected) for example in found)
    assert len(found) + outputs == len(fences), "a fence that belongs to no example"
    return found


def unfenced(page: str) -> list[str]:
    """Code that no example can be of: indented, or in a fence that does not end."""
    return re.findall(r"```.*|~~~.*|(?m:^(?: {4}|\t)\S.*)", FENCE.sub("", page))


def tidy(text: str) -> str:
    """Without what nobody sees: ends of lines, and spaces between parts of JSON."""
    lines = [line.rstrip() for line in text.strip().splitlines()]
    shown = [compact(each) if each[:1] == "{" else each for each in lines]
    spaced = re.sub(r"\n{3,}", "\n\n", "\n".join(shown) + "\n")
    return HEAD.sub(lambda head: head[1] + ordered(head[2]), spaced)


def compact(line: str) -> str:
    return "".join(
        p if p[:1] == '"' else p.replace(" ", "") for p in QUOTED.split(line)
    )


def ordered(headers: str) -> str:
    """By their names; where some were left out, any may be anywhere."""
    lines = headers.splitlines(keepends=True)
    named = sorted(line for line in lines if line != ANY_LINES)
    gap = ANY_LINES if len(named) < len(lines) else ""
    return gap + "".join(line + gap for line in named)


def pattern(expected: str) -> re.Pattern[str]:
    lines = tidy(re.sub(r"\n +", "", expected)).splitlines(keepends=True)
    return re.compile("".join(map(line_pattern, lines)))


def line_pattern(line: str) -> str:
    if line == ANY_LINES:
        return r"(?:[^\n]+\n)*?"
    return "".join(map(some, QUOTED.split(line)))


def some(part: str) -> str:
    """A pattern for a part of a line, outside of quotes or with them."""
    within = r'[^"\n]+' if part[:1] == '"' else r"[^\n]+?"
    return re.escape(part).replace("…", within)


def run(typed: list[Example], folder: Path, *, answers: dict[str, Path]) -> list[str]:
    """What each printed, all typed into one shell in this folder.

    An answer is typed, too, once the log that it is looked for in has it.
    """
    script = folder / "script.sh"
    ends = [f"{each.commands}\nprintf '%s %s\\n' '{MARK}' $?" for each in typed]
    script.write_text("\n".join(ends))
    with (folder / "printed.txt").open("wb") as printed:
        shell = subprocess.Popen(
            ["sh", script],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"},
            stdin=subprocess.PIPE,
            stdout=printed,
            stderr=subprocess.STDOUT,
        )
        with shell:
            attend(shell, dict(answers))
    text = (folder / "printed.txt").read_text().replace("\r\n", "\n")
    *parts, rest = re.split(rf"{MARK} 0\n", text)
    assert len(parts) == len(typed), f"not all were run to a good end:\n{text[-2000:]}"
    assert not rest
    return parts


def attend(shell: subprocess.Popen[bytes], answers: dict[str, Path]) -> None:
    deadline = monotonic() + SECONDS
    while shell.poll() is None:
        if monotonic() > deadline:
            shell.kill()
        for question, log in list(answers.items()):
            if answer := re.search(question, log.read_text()):
                assert shell.stdin
                shell.stdin.write(f"{answer[1]}\n".encode())
                shell.stdin.flush()
                del answers[question]
        sleep(0.02)
