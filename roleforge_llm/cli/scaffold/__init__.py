"""The files of a new plugin: what it may be called, what they say, and how they are written."""

from roleforge_llm.cli.scaffold.files import KINDS, Kind, plugin_files
from roleforge_llm.cli.scaffold.names import PluginName, plugin_name
from roleforge_llm.cli.scaffold.writing import write_plugin

__all__ = ["KINDS", "Kind", "PluginName", "plugin_files", "plugin_name", "write_plugin"]
