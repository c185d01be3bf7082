import pytest
from roleforge_llm_llamacpp.addresses import openai_base, url_of

from roleforge_llm import Profile


@pytest.mark.parametrize(
    ("base", "root"),
    [
        ("http://h:8080", "http://h:8080"),
        ("http://h:8080/", "http://h:8080"),
        ("http://h:8080/v1", "http://h:8080"),
        ("http://h:8080/v1/", "http://h:8080"),
        ("https://h/llama/v1", "https://h/llama"),
        ("https://h/llama/", "https://h/llama"),
        ("https://h/dev1", "https://h/dev1"),
    ],
)
def test_the_base_url_may_end_in_v1_or_not(base: str, root: str) -> None:
    profile = Profile("p", base_url=base)
    assert url_of(profile, "/completion") == f"{root}/completion"
    assert openai_base(profile) == f"{root}/v1"


def test_a_query_stays_at_the_end() -> None:
    profile = Profile("p", base_url="https://h/llama/v1?key=1#x")
    assert url_of(profile, "/props") == "https://h/llama/props?key=1"
    assert openai_base(profile) == "https://h/llama/v1?key=1"
