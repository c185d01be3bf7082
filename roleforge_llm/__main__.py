"""``python -m roleforge_llm`` is the command line."""

from roleforge_llm.cli import main

main()
