"""The one error whose text is meant for the person at the terminal."""

from __future__ import annotations


class SandboxError(Exception):
    """What was attempted, on what, and what to do next."""
