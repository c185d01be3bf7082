"""Renders templates in a process of its own: a line of JSON in, a line of JSON out, until its input ends."""

import copy
import json
import os
import resource
import sys
import time
from typing import Any

from roleforge_llm import RoleforgeError
from roleforge_llm.sandbox import plain, render_template

MESSAGES: list[dict[str, Any]] = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hello, <there>"},
    {"role": "assistant", "content": "General Kenobi"},
    {"role": "user", "content": "Naïve café 😀"},
]
CANARY = "canary-5f1c"
PEAK_UNIT = 1 if sys.platform == "darwin" else 1024


def given(case: dict[str, Any]) -> dict[str, Any]:
    return {
        "messages": [*MESSAGES, {"role": "user", "content": "../secret.txt"}],
        "bos_token": "<s>",
        "eos_token": "</s>",
        "add_generation_prompt": True,
        "tools": None,
        "documents": None,
        "name": case.get("name_ctx", "x"),
        **case.get("variables", {}),
    }


def outcome(case: dict[str, Any]) -> dict[str, Any]:
    variables = given(case)
    before = copy.deepcopy(variables)
    copies = {name: plain(value, name) for name, value in variables.items()}
    template = case["template"] if "template" in case else "".join(part * times for part, times in case["parts"])
    start = time.perf_counter()
    try:
        text = render_template(case.get("dialect", "hf"), template, "hostile.jinja", copies)
        result: dict[str, Any] = {"text": text[:2000], "length": len(text)}
    except RoleforgeError as error:
        result = {"error": str(error), "type": type(error).__name__}
    except BaseException as error:
        result = {"escaped": repr(error)[:2000]}
    result["seconds"] = time.perf_counter() - start
    result["changed"] = variables != before
    result["given_changed"] = copies != before
    return result


def main() -> None:
    os.environ["CANARY"] = CANARY
    for warm_up in ("{{ 1 }}", "{{ messages | tojson }}"):
        outcome({"template": warm_up})
    start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for line in sys.stdin:
        result = outcome(json.loads(line))
        result["grown"] = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - start) * PEAK_UNIT
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
