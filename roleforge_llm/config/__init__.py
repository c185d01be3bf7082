"""Configuration: finding it, reading it, and checking every value in it."""

from roleforge_llm.config.finding import default_config_path, find_config
from roleforge_llm.config.loading import load_config, parse_config, plugin_settings, with_overrides
from roleforge_llm.config.model import Config, PluginSettings

__all__ = [
    "Config",
    "PluginSettings",
    "default_config_path",
    "find_config",
    "load_config",
    "parse_config",
    "plugin_settings",
    "with_overrides",
]
