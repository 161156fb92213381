"""What the directory shows: prefixes, keys and templates as stored, and never changed silently."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from admin.first_start import add_missing_prefixes, prepare_register
from node.domain.prefix import Prefix, PrefixState
from node.domain.template import Template
from node.domain.templates import shipped_templates
from node.errors import Conflict
from node.storage import key_queries, prefix_queries, template_queries
from node.storage.engine import Database
from node.storage.stored_values import StoredKey
from tests.builders import FREE_PREFIX, PREFIXES, START, put_prefixes, register_at

KEY = StoredKey(
    id="3f9c2a",
    role="producer",
    label="磅房",
    prefixes=("88.111.1",),
    secret_sha256=bytes(range(32)),
    created_at="2026-11-21T09:00:00.000Z",
    expires_at="",
    revoked_at="",
)


async def test_prefixes_come_back_as_they_were_put(store_url: str) -> None:
    odd = Prefix(
        "88.111.7",
        state=PrefixState.DRAFT,
        profile="ascii33",
        is_test=True,
        valid_from=START,
        valid_until=START + timedelta(days=1),
        fold_suffix=False,
    )
    async with register_at(store_url) as register:
        await put_prefixes(register.database, odd)
        await put_prefixes(register.database, replace(odd, state=PrefixState.PENDING))
        async with register.database.read() as scope:
            stored = await prefix_queries.everyone(scope)
        expected = [*PREFIXES, replace(odd, state=PrefixState.PENDING)]
        assert stored == sorted(expected, key=lambda prefix: prefix.name)


async def test_prefixes_of_the_demonstration_replace_none(store_url: str) -> None:
    async with register_at(store_url) as register:
        await add_missing_prefixes(register.database, [FREE_PREFIX, "88.111.77"], lambda: START)
        await register.directory.refresh()
        assert register.directory.now.prefixes[FREE_PREFIX].profile == "free"
        assert register.directory.serves("88.111.77")
        assert not register.directory.serves("88.111.78")


async def test_a_key_is_revoked_once(store_url: str) -> None:
    async with register_at(store_url) as register:
        async with register.database.write() as scope:
            await key_queries.add(scope, KEY)
            assert await key_queries.revoke(scope, KEY.id, "2026-11-21T10:00:00.000Z")
            assert not await key_queries.revoke(scope, KEY.id, "2026-11-21T11:00:00.000Z")
            assert not await key_queries.revoke(scope, "unknown", "2026-11-21T11:00:00.000Z")
        await register.directory.refresh()
        stored = register.directory.now.keys[KEY.id]
        assert stored == replace(KEY, revoked_at="2026-11-21T10:00:00.000Z")


async def test_only_the_very_first_start_shows_a_key(store_url: str) -> None:
    async with register_at(store_url) as register:
        assert await prepare_register(register.database, lambda: START) == ""
        async with register.database.read() as scope:
            (first,) = await key_queries.everyone(scope)
        assert (first.role, first.prefixes) == ("administrator", ())


async def test_a_published_template_never_changes(store_url: str) -> None:
    template = shipped_templates()[0]
    async with register_at(store_url) as register:
        await publish(register.database, template)
        with pytest.raises(Conflict):
            await publish(register.database, replaced(template))
        async with register.database.read() as scope:
            assert await template_queries.everyone(scope) == shipped_templates()


async def test_a_new_version_is_known_after_the_next_refresh(store_url: str) -> None:
    newer = Template("shipment", 2, "shipment", "发运", "Shipment", ())
    async with register_at(store_url) as register:
        await publish(register.database, newer)
        assert register.directory.now.templates.rules("shipment").template.version == 1
        before = register.directory.now.templates
        await register.directory.refresh()
        assert register.directory.now.templates.rules("shipment").template == newer
        assert register.directory.now.templates is not before
        # As long as nothing is published the compiled rules are kept.
        compiled = register.directory.now.templates
        await register.directory.refresh()
        assert register.directory.now.templates is compiled


def replaced(template: Template) -> Template:
    """Return the same version with another text."""
    return Template(
        template.name,
        template.version,
        template.object_class,
        template.zh + "!",
        template.en,
        template.attributes,
    )


async def publish(database: Database, template: Template) -> None:
    """Publish a template version in a transaction of its own."""
    async with database.write() as scope:
        await template_queries.publish(scope, template, "2026-11-21T09:00:00.000Z")
