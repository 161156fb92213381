"""Puts the parts of counting together: for the role tally, for the API, and for reports."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from admin.node_identity import key_folder
from admin.parts import Clock, Register, tally_folder
from node.config import Config
from node.counting.campaigns import Campaigns
from node.counting.chain import Chain, Gap
from node.counting.circumstances import KnownCircumstances
from node.counting.sealer import Sealer
from node.counting.sealing import Workshop
from node.counting.state_seal import StateSeal
from node.counting.tally_folder import TallyFolder
from node.counting.tallying import Tallying, TallySettings
from node.counting.window_key import create_window_key, load_window_key
from node.domain.counting.facts import Pseudonyms
from node.domain.counting.rule_set import RuleSet, parse_rules
from node.domain.counting.rules import shipped_rules
from node.errors import InvalidInput
from node.storage import tally_queries
from node.storage.engine import Database

# Roles that are disturbed when a round of counting takes the processor for long.
_QUICK = frozenset({"api", "resolver"})
REST_FACTOR = 9.0


@dataclass(frozen=True, slots=True)
class Counting:
    """What counts in this process; `settle_s`: within it what was answered is in the spools."""

    folder: TallyFolder
    sealer: Sealer
    campaigns: Campaigns
    tallying: Tallying
    settle_s: float


async def build_counting(config: Config, register: Register, clock: Clock) -> Counting:
    """Build what counts look-ups; the key of pseudonyms is made with the first use."""
    key = await window_key(register.database, key_folder(config))
    folder = tally_folder(config)
    shop = build_workshop(config, register, key, folder, gap=lambda _: None)
    sealer = Sealer(shop, clock)
    flush_s = config.tally.flush.total_seconds()
    settings = TallySettings(
        retention_s=config.tally.retention.total_seconds(),
        rest_factor=REST_FACTOR if _QUICK & set(config.roles) else 0.0,
    )
    campaigns = Campaigns(
        register.database,
        clock,
        unique=lambda: secrets.token_hex(4),
        on_commit=register.sequencer.wake,
    )
    tallying = Tallying(shop, sealer, register.metrics, settings)
    return Counting(folder, sealer, campaigns, tallying, 4 * flush_s + 0.2)


def build_workshop(
    config: Config, register: Register, key: bytes, folder: TallyFolder, *, gap: Gap
) -> Workshop:
    """Build what seals work with; `gap` as in `node.counting.chain`."""
    rules = chosen_rules(config)
    return Workshop(
        database=register.database,
        chain=Chain(
            register.database,
            StateSeal(key),
            rules,
            on_commit=register.sequencer.wake,
            gap=gap,
        ),
        folder=folder,
        pseudonyms=Pseudonyms(key, register.keys.identifier_tag),
        rules=rules,
        around=KnownCircumstances(register.directory, config.tally.own_networks).now,
        origin=register.signer.name,
        gap=gap,
    )


async def window_key(database: Database, folder: Path) -> bytes:
    """Return the key of pseudonyms; one is made only while nothing was counted with another."""
    async with database.read() as scope:
        has_statements = (await tally_queries.state(scope)).statements > 0
    return load_window_key(folder) if has_statements else create_window_key(folder)


def chosen_rules(config: Config) -> RuleSet:
    """Return the rules of the configuration: those of its file, or the newest that ship."""
    if not config.tally.rules:
        return shipped_rules()[-1]
    try:
        body = Path(config.tally.rules).read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"计数规则文件 {config.tally.rules} 无法读取",
            f"The rules of counting in {config.tally.rules} cannot be read",
        ) from error
    return parse_rules(body)
