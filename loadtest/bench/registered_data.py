"""A PostgreSQL register with as many records as a bench wants, quickly.

The first SEED_RECORDS are registered through the node, over HTTP, and are in the log. The others
are made of them in SQL (`grow`): same content, leaf and salt, another identifier, another number of
change; their leaves are numbered below zero, where no log looks, so that the tables and indexes
have their size and the signed log stays sound.

Invariants: identifiers are scattered evenly over the key space; the tables are vacuumed and
analysed, as they are in a register that took years to grow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from loadtest.bench.batches import PREFIX, bulk_bodies, scattered, write_batches
from loadtest.bench.bulk_client import register_in_bulk
from loadtest.bench.nodes import NodeProcess, Site, prepare_site
from loadtest.bench.servers import PostgresCluster

SEED_RECORDS = 30_000
SMALL, LARGE = 300_000, 3_000_000

# The names of the copies: `times` for each of the records that are `there`.
_NAME_COPIES = """
SET synchronous_commit = off;
CREATE UNLOGGED TABLE grown AS
SELECT nextval('change_change_id_seq') AS change_id, r.change_id AS model_id,
       r.identifier AS model,
       '{prefix}/' || upper(substr(md5(concat_ws('#', r.identifier, {there}, n)), 1, 24))
         AS identifier
FROM record r, generate_series(1, {times}) AS n ORDER BY n, r.change_id;
ANALYZE grown;
"""
_COPY = """
INSERT INTO {table} ({columns}) SELECT {values}
FROM grown g JOIN {table} t ON t.change_id = g.model_id;
"""
_COLUMNS = """
SELECT attname FROM pg_attribute WHERE attrelid = :'table'::regclass AND attnum > 0;
"""
# What differs in a copy, by table and column. Leaves are numbered downwards from -1.
_DIFFERENT: Mapping[str, Mapping[str, str]] = {
    "change": {
        "change_id": "g.change_id",
        "identifier": "g.identifier",
        "content": (
            "convert_to(replace(convert_from(t.content, 'UTF8'), g.model, g.identifier), 'UTF8')"
        ),
    },
    "record": {"change_id": "g.change_id", "identifier": "g.identifier"},
    "leaf": {
        "change_id": "g.change_id",
        "leaf_index": "(SELECT least(min(leaf_index), 0) FROM leaf) - row_number() OVER ()",
    },
}


@dataclass(frozen=True, slots=True)
class Registered:
    """A cluster with a database that holds records, and the site of its nodes."""

    cluster: PostgresCluster
    database: str
    site: Site

    @property
    def url(self) -> str:
        """The address of the database, as a node takes it."""
        return self.cluster.url(self.database)

    def paths(self, count: int) -> list[str]:
        """Give the look-up paths of `count` records drawn at random."""
        drawn = "SELECT '/' || identifier FROM record ORDER BY random() LIMIT :count;"
        return self.cluster.execute(f"\\set count {count}\n{drawn}", self.database).split()


@contextmanager
def registered_records(records: int) -> Iterator[Registered]:
    """Give a register of its own with `records` records, a multiple of SEED_RECORDS."""
    with TemporaryDirectory(prefix="xibiao-bench-site-") as place, closing(PostgresCluster()) as pg:
        registered = _seeded(pg, Path(place))
        grow(registered, to=records)
        yield registered


def grow(registered: Registered, *, to: int) -> None:
    """Copy records until there are `to`; the number there is must divide it."""
    cluster, database = registered.cluster, registered.database
    there = int(cluster.execute("SELECT count(*) FROM record;", database))
    sql = _NAME_COPIES.format(prefix=PREFIX, there=there, times=to // there - 1)
    for table, different in _DIFFERENT.items():
        columns = cluster.execute(f"\\set table {table}\n{_COLUMNS}", database).split()
        values = [different.get(name, f"t.{name}") for name in columns]
        sql += _COPY.format(table=table, columns=", ".join(columns), values=", ".join(values))
    cluster.execute(sql + "DROP TABLE grown;", database)
    cluster.execute("VACUUM ANALYZE;\nCHECKPOINT;", database)


def larger_copy(registered: Registered, *, records: int) -> Registered:
    """Copy a register under another name and let it grow; its nodes share the site."""
    cluster, name = registered.cluster, f"{registered.database}_large"
    cluster.execute(f"CREATE DATABASE {name} TEMPLATE {registered.database};")
    copy = Registered(cluster, name, registered.site)
    grow(copy, to=records)
    return copy


def _seeded(cluster: PostgresCluster, place: Path) -> Registered:
    database = cluster.create_database()
    url = cluster.url(database)
    site = prepare_site(place / "node", profile="ascii33", database=url)
    write_batches(place / "batches.csv", SEED_RECORDS)
    with NodeProcess(site, database=url) as node:
        register_in_bulk([node], site, bulk_bodies(place / "batches.csv", scattered))
    return Registered(cluster, database, site)
