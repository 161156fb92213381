"""Bring the schema to the newest version, or refuse when the schema is newer than this code."""

from __future__ import annotations

import asyncio
from importlib.resources import files

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.script import ScriptDirectory

from admin.parts import database_url
from node.config import Config
from node.errors import WrongState
from node.storage.schema_version import current_version


def alembic_config(url: str) -> AlembicConfig:
    """Return Alembic's settings for a database address, without an ini file."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(files("migrations")))
    config.attributes["url"] = url
    return config


def upgrade_schema(url: str) -> str:
    """Run the missing migrations and return the version reached; idempotent.

    Raises WrongState when the schema was made by a newer release: old code must not write to it.
    """
    config = alembic_config(url)
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    present = asyncio.run(current_version(url))
    if present and present not in known:
        raise WrongState(
            f"数据库结构版本 {present} 比本程序新,请升级程序",
            f"The schema ({present}) is newer than this program; upgrade the program",
            code="schema_newer",
        )
    command.upgrade(config, "head")
    return str(ScriptDirectory.from_config(config).get_current_head())


def upgrade(config: Config) -> str:
    """Bring the database of a configuration to the newest schema (`xibiao migrate`)."""
    config.data_dir.mkdir(parents=True, exist_ok=True)
    return upgrade_schema(database_url(config))
