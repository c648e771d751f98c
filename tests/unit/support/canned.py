"""Operations of a boto3 client with answers that are given."""

from __future__ import annotations

from typing import Any


def canned(answer: Any, request: dict[str, Any]) -> Any:
    """Answer a request as a client's operation does: with a value, an error, or what a function of the request says."""
    if callable(answer):
        answer = answer(request)
    if isinstance(answer, Exception):
        raise answer
    return answer
