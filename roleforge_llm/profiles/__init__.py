"""Profiles: the named settings of one way to get a reply. Frozen, and checked when made."""

from roleforge_llm.profiles.bounds import Bounds, bounds_of
from roleforge_llm.profiles.secrets import Secret, UnsetVariable, expand, reference_fault, variable
from roleforge_llm.profiles.settings import Endpoint, Profile, RetryConfig, Sampler, Timeouts
from roleforge_llm.profiles.urls import shown_url, url_fault, url_warning

__all__ = [
    "Bounds",
    "Endpoint",
    "Profile",
    "RetryConfig",
    "Sampler",
    "Secret",
    "Timeouts",
    "UnsetVariable",
    "bounds_of",
    "expand",
    "reference_fault",
    "shown_url",
    "url_fault",
    "url_warning",
    "variable",
]
