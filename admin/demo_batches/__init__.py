"""Realistic rare-earth batches with a consistent, mass-balanced genealogy.

The scene: the light rare earths of Baotou (mixed bastnaesite-monazite concentrate), from ore over
separation, metals and magnets to scrap and back. All enterprises are invented. From the bottom up:

- `chance`, `check_characters`              seeded randomness; MOD 37,36 and credit codes
- `parties`, `products`, `grades`, `columns`   the catalogues
- `lots`, `figures`, `suffixes`, `rows`     one batch: masses, rounding, identifier, row
- `industry`                                stock between steps, and one process
- `minerals`, `separation`, `metals`, `magnets`, `recycling`   the steps
- `campaigns`                               all steps in turn: `iter_processes`, `iter_rows`
- `faults`, `faults_of_form`, `faults_of_content`, `dirt`      rows spoilt on purpose
- `writers`, `events`, `oracle`, `__main__` files and the command line

Promises for clean rows:

- the same arguments give the same bytes;
- suffixes are unique and end in an ISO/IEC 7064 MOD 37,36 check character, never I or O;
- rows come parents first, and a parent is never younger than its child;
- what the children of a batch take from it never exceeds its net_kg;
- a batch holds no more REO than it took from its parents, and a process gives out of no element
  more than went in, up to rounding and cross-impurity (0.1 % of the REO that passed);
- the six distribution columns (la_pct .. hre_pct) add up to 100.000.
"""

from admin.demo_batches.campaigns import iter_rows
from admin.demo_batches.parties import ENTERPRISE_PREFIXES

__all__ = ["ENTERPRISE_PREFIXES", "iter_rows"]
