"""Quick sessions with AWS's libraries."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from botocore.loaders import JSONFileLoader, Loader


def read_models_once(patch: pytest.MonkeyPatch) -> None:
    """Keep AWS's API models, megabytes of JSON that botocore otherwise reads again for every session.

    S3's is left out: botocore takes the bucket out of its paths whenever it makes a client.
    """
    load = JSONFileLoader().load_file
    once = functools.cache(load)

    def load_file(_loader: JSONFileLoader, path: str) -> Any:
        return load(path) if "/s3/" in path else once(path)

    patch.setattr(JSONFileLoader, "load_file", load_file)
    # Looking through hundreds of folders for what services there are takes as long again.
    known = functools.cache(Loader().list_available_services)
    patch.setattr(Loader, "list_available_services", lambda _loader, type_name: known(type_name))
