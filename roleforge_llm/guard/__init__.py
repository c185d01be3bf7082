"""Prompts in which no content can open, close or imitate a turn."""

from roleforge_llm.guard.rendering import ForgedTurns, Guarded, guarded
from roleforge_llm.guard.vocabulary import Vocabulary, vocabulary_of

__all__ = ["ForgedTurns", "Guarded", "Vocabulary", "guarded", "vocabulary_of"]
