"""Fixtures of the trials: where a node keeps its register, embedded and on servers."""

from __future__ import annotations

import pytest

from loadtest.trials.stores import Stores


@pytest.fixture(params=["sqlite", "postgresql"])
def stores(request: pytest.FixtureRequest) -> Stores:
    """Give an empty store, once embedded and once PostgreSQL with Redis."""
    if request.param == "sqlite":
        return Stores()
    url: str = request.getfixturevalue("postgres_url")
    redis: str = request.getfixturevalue("redis_url")
    return Stores(url, redis)
