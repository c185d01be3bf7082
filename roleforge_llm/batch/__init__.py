"""Batches: many conversations in, one result for each out, with bounded concurrency and bounded memory.

An input row is a JSON object, in one of two shapes::

    {"id": "a", "messages": [...], "profile": "main", "tools": [...], "response_format": {...}, "timeout": 60,
     "temperature": 0.2, "maxTokens": 100, ...}          every key but messages may be absent
    {"custom_id": "a", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "m", "messages": [...], ...}}

An output row is a JSON object, too, one for each input row::

    {"line", "checksum", "ok": true, "id", "text", "finish_reason", "profile", "model", "format", "usage", "reasoning",
     "tool_calls", "segments", "omitted", "attempts", "warnings"}
    {"line", "checksum", "ok": false, "id", "error": {"type", "kind", "status", "message", "partial", "attempts"}}
    {"line", "checksum", "ok": true, "id", "prompt", "stop", "format", "warnings"}           rendered, nothing sent

``line`` is the number of the input line, from 1, and ``checksum`` the CRC-32 of its bytes: by these two an output
says what it already holds, so that a batch that was killed can be resumed without any other file. A row that did not
come from a file has its position as ``line``, and no ``checksum``. ``id`` is the line where the row gives none.

Nothing here knows a client: a batch asks what it is given for each row.
"""

from roleforge_llm.batch.admission import Concurrency
from roleforge_llm.batch.answered import Answered
from roleforge_llm.batch.ids import SeenIds
from roleforge_llm.batch.results import BatchResult
from roleforge_llm.batch.rows import BatchRow, batch_row
from roleforge_llm.batch.running import Batch, Rows

__all__ = ["Answered", "Batch", "BatchResult", "BatchRow", "Concurrency", "Rows", "SeenIds", "batch_row"]
