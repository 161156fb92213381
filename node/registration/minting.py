"""Give identifiers to items that came without one.

Numbers are drawn in blocks from the counter of (prefix, series), in a transaction of their own: a
request that fails afterwards leaves a gap, never a number handed out twice. Suffixes that plants
used on their own account are stepped over.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from node.domain.identifiers.suffix_profile import PROFILES
from node.domain.prefix import Prefix
from node.errors import InvalidInput, LimitExceeded, XibiaoError
from node.registration.admission import Admitted
from node.storage import record_queries, serial_queries
from node.storage.engine import Database

ROUNDS = 200


class Minter:
    """Mints suffixes after each prefix's profile; `key` permutes the serial numbers."""

    def __init__(self, database: Database, key: bytes) -> None:
        self._database = database
        self._key = key

    async def name(self, rows: Sequence[Admitted]) -> list[str | XibiaoError]:
        """Return an identifier for each row, or the error that says why there is none for it."""
        minted: dict[int, str | XibiaoError] = {}
        wanted: dict[tuple[Prefix, str], list[int]] = defaultdict(list)
        for position, row in enumerate(rows):
            try:
                series = PROFILES[row.prefix.profile].series(row.attributes)
            except InvalidInput as error:
                minted[position] = error
            else:
                wanted[row.prefix, series].append(position)
        for (prefix, series), positions in wanted.items():
            keys: Sequence[str | XibiaoError]
            try:
                keys = await self._mint(prefix, series, len(positions))
            except LimitExceeded as error:
                keys = [error] * len(positions)
            minted.update(zip(positions, keys, strict=True))
        return [minted[position] for position in range(len(rows))]

    async def mint_for(
        self, prefix: Prefix, attributes: Mapping[str, str], count: int
    ) -> list[str]:
        """Return `count` unused identifiers of the series that `attributes` belong to."""
        series = PROFILES[prefix.profile].series(attributes)
        return await self._mint(prefix, series, count)

    async def _mint(self, prefix: Prefix, series: str, count: int) -> list[str]:
        """Return `count` identifiers below a prefix that nobody holds; raise LimitExceeded.

        The error means that the series is used up (e.g. 9,999 batches of a product, line and day).
        """
        profile = PROFILES[prefix.profile]
        found: list[str] = []
        for _ in range(ROUNDS):
            need = count - len(found)
            if not need:
                return found
            async with self._database.write() as scope:
                first = await serial_queries.take(scope, prefix.name, series, need)
            if first + need - 1 > profile.capacity:
                break
            suffixes = [profile.suffix(series, n, self._key) for n in range(first, first + need)]
            keys = [f"{prefix.name}/{suffix}" for suffix in suffixes if suffix is not None]
            async with self._database.read() as scope:
                held: Mapping[str, object] = await record_queries.find_within(scope, keys)
            found += [key for key in keys if key not in held]
        raise LimitExceeded(
            f"序列 {series} 的号码已用尽",
            f"Series {series} has no numbers left",
            code="series_full",
        )
