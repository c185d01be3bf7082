"""A conversation in, a reply out, from whatever model server there is.

Everything public is importable from here and loaded when it is first used: importing the package
discovers no plugins and loads no HTTP library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from roleforge_llm._loading import uncollected
from roleforge_llm._version import __version__ as __version__

if TYPE_CHECKING:
    from roleforge_llm.attempts import Attempt as Attempt
    from roleforge_llm.attempts import Event as Event
    from roleforge_llm.attempts import Failure as Failure
    from roleforge_llm.attempts import Health as Health
    from roleforge_llm.backends import Backend as Backend
    from roleforge_llm.backends import BackendSpec as BackendSpec
    from roleforge_llm.backends import Capabilities as Capabilities
    from roleforge_llm.backends import Chunk as Chunk
    from roleforge_llm.backends import Completion as Completion
    from roleforge_llm.backends import DiscoveredServer as DiscoveredServer
    from roleforge_llm.backends import Request as Request
    from roleforge_llm.backends import Segment as Segment
    from roleforge_llm.backends import ServerTemplate as ServerTemplate
    from roleforge_llm.backends import Usage as Usage
    from roleforge_llm.backends import estimate_tokens as estimate_tokens
    from roleforge_llm.batch import Batch as Batch
    from roleforge_llm.batch import BatchResult as BatchResult
    from roleforge_llm.batch import BatchRow as BatchRow
    from roleforge_llm.client import AsyncClient as AsyncClient
    from roleforge_llm.client import AsyncCompletionStream as AsyncCompletionStream
    from roleforge_llm.client import Client as Client
    from roleforge_llm.client import CompletionStream as CompletionStream
    from roleforge_llm.client import Explanation as Explanation
    from roleforge_llm.config import Config as Config
    from roleforge_llm.config import find_config as find_config
    from roleforge_llm.config import load_config as load_config
    from roleforge_llm.errors import AllProfilesFailed as AllProfilesFailed
    from roleforge_llm.errors import AuthenticationFailed as AuthenticationFailed
    from roleforge_llm.errors import BackendError as BackendError
    from roleforge_llm.errors import BadReply as BadReply
    from roleforge_llm.errors import BatchError as BatchError
    from roleforge_llm.errors import ConfigError as ConfigError
    from roleforge_llm.errors import ConnectFailed as ConnectFailed
    from roleforge_llm.errors import ContextTooLong as ContextTooLong
    from roleforge_llm.errors import Fault as Fault
    from roleforge_llm.errors import ForgedTurn as ForgedTurn
    from roleforge_llm.errors import FormatError as FormatError
    from roleforge_llm.errors import FormatNotFound as FormatNotFound
    from roleforge_llm.errors import InvalidRequest as InvalidRequest
    from roleforge_llm.errors import MessageError as MessageError
    from roleforge_llm.errors import NotFound as NotFound
    from roleforge_llm.errors import PluginError as PluginError
    from roleforge_llm.errors import RateLimited as RateLimited
    from roleforge_llm.errors import RoleforgeError as RoleforgeError
    from roleforge_llm.errors import RoleforgeWarning as RoleforgeWarning
    from roleforge_llm.errors import RowError as RowError
    from roleforge_llm.errors import ServerError as ServerError
    from roleforge_llm.errors import StreamBroken as StreamBroken
    from roleforge_llm.errors import TemplateError as TemplateError
    from roleforge_llm.errors import Timeout as Timeout
    from roleforge_llm.errors import TooLarge as TooLarge
    from roleforge_llm.formats import PromptFormat as PromptFormat
    from roleforge_llm.formats import TemplateFormat as TemplateFormat
    from roleforge_llm.hookspecs import hookimpl as hookimpl
    from roleforge_llm.host import PluginHost as PluginHost
    from roleforge_llm.host import PluginRecord as PluginRecord
    from roleforge_llm.messages import Conversation as Conversation
    from roleforge_llm.messages import Message as Message
    from roleforge_llm.messages import Prompt as Prompt
    from roleforge_llm.policies import Decision as Decision
    from roleforge_llm.policies import DerivedPolicySpec as DerivedPolicySpec
    from roleforge_llm.policies import FailurePolicy as FailurePolicy
    from roleforge_llm.policies import FallBack as FallBack
    from roleforge_llm.policies import GiveUp as GiveUp
    from roleforge_llm.policies import Limits as Limits
    from roleforge_llm.policies import Plan as Plan
    from roleforge_llm.policies import PlanStep as PlanStep
    from roleforge_llm.policies import PolicySpec as PolicySpec
    from roleforge_llm.policies import Retry as Retry
    from roleforge_llm.profiles import Profile as Profile
    from roleforge_llm.profiles import RetryConfig as RetryConfig
    from roleforge_llm.profiles import Sampler as Sampler
    from roleforge_llm.profiles import Secret as Secret
    from roleforge_llm.profiles import Timeouts as Timeouts
    from roleforge_llm.rendering import render as render
    from roleforge_llm.rendering import unescape as unescape

_HOME = {
    "attempts": "Attempt Event Failure Health",
    "backends": "Backend BackendSpec Capabilities Chunk Completion DiscoveredServer Request Segment ServerTemplate Usage estimate_tokens",
    "batch": "Batch BatchResult BatchRow",
    "client": "AsyncClient AsyncCompletionStream Client CompletionStream Explanation",
    "config": "Config find_config load_config",
    "errors": "AllProfilesFailed AuthenticationFailed BackendError BadReply BatchError ConfigError ConnectFailed ContextTooLong Fault ForgedTurn FormatError FormatNotFound InvalidRequest MessageError NotFound PluginError RateLimited RoleforgeError RoleforgeWarning RowError ServerError StreamBroken TemplateError Timeout TooLarge",
    "formats": "PromptFormat TemplateFormat",
    "hookspecs": "hookimpl",
    "host": "PluginHost PluginRecord",
    "messages": "Conversation Message Prompt",
    "policies": "Decision DerivedPolicySpec FailurePolicy FallBack GiveUp Limits Plan PlanStep PolicySpec Retry",
    "profiles": "Profile RetryConfig Sampler Secret Timeouts",
    "rendering": "render unescape",
}
_MODULES = {name: module for module, names in _HOME.items() for name in names.split()}

__all__ = sorted(["__version__", *_MODULES])  # pyright: ignore[reportUnsupportedDunderAll]


if not TYPE_CHECKING:  # with it, type checkers would take any name

    def __getattr__(name: str) -> object:
        if (module := _MODULES.get(name)) is None:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        with uncollected():
            value = getattr(import_module(f"{__name__}.{module}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return __all__
