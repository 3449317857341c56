"""Families that whoever writes the compiler may not look at: their results are only counted.

They were written before there was a compiler, and do not follow what it learned to do.
"""

from tests.families.family import Family
from tests.families.frozen import alike, given, once, plain, refused, synthetic, traps

FAMILIES: tuple[type[Family], ...] = (
    *plain.FAMILIES,
    *synthetic.FAMILIES,
    *refused.FAMILIES,
    *traps.FAMILIES,
    *alike.FAMILIES,
    *once.FAMILIES,
    *given.FAMILIES,
)
