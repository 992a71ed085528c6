"""What Schemathesis is taught of this API; it imports this by SCHEMATHESIS_HOOKS."""

import atexit
import json
import os
from collections import Counter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import schemathesis
from requests.structures import CaseInsensitiveDict

from tests.contract.document import Answer as Documented
from tests.contract.document import document
from tests.live import verdict
from tests.live.fuzz import rules, spoil, truths
from tests.live.wire import Answer

SEEN: Counter[str] = Counter()
SPOILT: Counter[str] = Counter()
# Of each operation's headers.
PATTERNS = {
    operation.name: {
        parameter["name"]: parameter["schema"]["pattern"]
        for parameter in operation.described.get("parameters", [])
        if parameter["in"] == "header"
    }
    for operation in document().operations.values()
}


@atexit.register
def tell() -> None:
    Path(os.environ["TASKAPI_FUZZ_SEEN"]).write_text(
        json.dumps({"answers": SEEN, "spoilt": SPOILT})
    )


def answer_of(response: Any) -> Answer:
    headers: Any = CaseInsensitiveDict(
        {name: ", ".join(values) for name, values in response.headers.items()}
    )
    return Answer(response.status_code, headers, response.content, response.elapsed)


@schemathesis.check
def documented(ctx: Any, response: Any, case: Any) -> None:
    """As every test has it: nothing that the document does not name."""
    answer, asked = answer_of(response), response.request
    sent = answer.status, dict(answer.headers), answer.body
    document().judge(Documented(asked.method, urlsplit(asked.url).path, *sent))


@schemathesis.check
def like_every_answer(ctx: Any, response: Any, case: Any) -> None:
    """One shape of errors, the request's id, and nothing of the inside."""
    answer = answer_of(response)
    found = [*verdict.leaks(answer), *verdict.misfits(answer)]
    assert not found, "; ".join(found)


@schemathesis.check
def spoilt_is_refused(ctx: Any, response: Any, case: Any) -> None:
    if kind := spoil.kind_of(response.request):
        assert 400 <= response.status_code < 500, f"{kind}: {response.status_code}"
        assert response.headers["x-request-id"] == [spoil.PREFIX + kind]


@schemathesis.hook
def before_add_examples(context: Any, examples: list[Any]) -> None:
    examples += spoil.each_of(examples)


@schemathesis.hook
def before_generate_case(context: Any, strategy: Any) -> Any:
    return spoil.some_of(strategy)


@schemathesis.hook
def map_case(context: Any, case: Any) -> Any:
    truths.make_possible(case, PATTERNS[spoil.operation_of(case).name])
    return case


@schemathesis.hook
def filter_failure(context: Any, failure: Any, case: Any, response: Any) -> bool:
    name = spoil.operation_of(case).name
    return not rules.explain(failure, name, response.request, answer_of(response))


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    server = case.operation.schema.get_base_url()
    truths.make_true(case, spoil.operation_of(case).name, server)


@schemathesis.hook
def after_call(context: Any, case: Any, response: Any) -> None:
    name = spoil.operation_of(case).name
    if case.method == case.operation.method.upper():
        SEEN[f"{name} {response.status_code}"] += 1
        SPOILT[spoil.kind_of(response.request)] += 1
        rules.remember(name, response.status_code, case.path_parameters.get("id"))
