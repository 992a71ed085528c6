"""openapi-generator reads docs/openapi.yaml, and its Java client works."""

import json
from pathlib import Path

import pytest

from tests.live.clients.tools import GUIDE, SEEN, Tool, email
from tests.live.server import Server

pytestmark = [pytest.mark.full, pytest.mark.live]
GENERATE = "openapi-generator-cli generate --input-spec openapi.yaml"
JAVA = (
    f"{GENERATE} --generator-name java --output java"
    " --library native --additional-properties openApiNullable=false"
)
FAULTS = ("ERROR", "Exception:", "[error]")


def generate(tool: Tool, folder: Path, language: str) -> Path:
    output = f"generated-{language}"
    printed = tool(f"{GENERATE} --generator-name {language} --output {output}")
    assert faults(printed) == []
    return folder / output


def faults(printed: str) -> list[str]:
    return [each for each in printed.splitlines() if any(f in each for f in FAULTS)]


@pytest.mark.parametrize("command", [JAVA, f"{GENERATE} --generator-name go"])
def test_guide_tells_the_command(command: str) -> None:
    assert f"`{command}" in GUIDE


def test_description_is_valid(tool: Tool) -> None:
    printed = tool("openapi-generator-cli validate --input-spec openapi.yaml")

    assert "No validation issues detected." in printed


@pytest.mark.parametrize("language", ["kotlin", "php", "python"])
def test_client_is_generated(tool: Tool, folder_of_tools: Path, language: str) -> None:
    client = generate(tool, folder_of_tools, language)

    texts = [each.read_text(errors="replace") for each in client.rglob("*Api.*")]
    texts += [each.read_text() for each in client.rglob("*_api.py")]
    assert any("createTask" in text or "create_task" in text for text in texts)


def test_go_client_bears_new_fields_of_answers(
    tool: Tool, folder_of_tools: Path
) -> None:
    client = generate(tool, folder_of_tools, "go")
    strict = {
        each.name
        for each in client.glob("model_*.go")
        if "DisallowUnknownFields" in each.read_text()
    }

    assert "model_create_task_request.go" in strict
    assert all(name.endswith(("_request.go", "_operation.go")) for name in strict)


def test_csharp_client_matches_no_date_with_a_pattern(
    tool: Tool, folder_of_tools: Path
) -> None:
    """It would not compile: Regex.Match takes no DateTime."""
    client = generate(tool, folder_of_tools, "csharp")
    [source] = client.glob("src/*/Model/Task.cs")

    assert "DateTime" in source.read_text()
    assert "Regex(" not in source.read_text()


def test_java_client_compiles_and_works(
    tool: Tool, folder_of_tools: Path, live: Server
) -> None:
    assert faults(tool(JAVA)) == []
    sources = (folder_of_tools / "java" / "src" / "main").rglob("*.java")
    # It contains Jackson, so that no other jar is needed to compile the client.
    import openapi_generator_cli

    jar = str(Path(openapi_generator_cli.__file__).with_name("openapi-generator.jar"))
    own = ["Generated.java", "Drive.java"]

    options = "-proc:none -encoding UTF-8 -d classes -classpath"
    tool(f"javac {options}", jar, *map(str, sources), *own)
    url = f"http://127.0.0.1:{live.port}"
    seen = tool("java -classpath", f"{jar}:classes", "Drive", url, email())

    assert json.loads(seen) == SEEN
