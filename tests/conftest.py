from __future__ import annotations

import pytest
from hypothesis import settings

# A busy machine is no bug: an example may take its time.
settings.register_profile("suite", deadline=None)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"
