"""Families that whoever writes the compiler may look at."""

from tests.families.development import alike, given, once, plain, refused, synthetic, traps
from tests.families.family import Family

FAMILIES: tuple[type[Family], ...] = (
    *plain.FAMILIES,
    *synthetic.FAMILIES,
    *refused.FAMILIES,
    *traps.FAMILIES,
    *alike.FAMILIES,
    *once.FAMILIES,
    *given.FAMILIES,
)
