"""`[evidence]`: what is kept of governed runs, and for how long."""

from msgspec import Struct

from cockpit.core.quantities import parse_duration


class EvidenceSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether governed runs leave evidence, how old and how large it may become.

    What is older than `age` goes, and then the oldest, until no more than `megabytes` are left.
    """

    on: bool = True
    age: str = "90d"
    megabytes: int = 2_000

    def check(self) -> None:
        """Raises ValueError, naming what is wrong."""
        parse_duration(self.age)
        if self.megabytes < 1:
            raise ValueError("megabytes must be at least 1; write on = false to keep nothing")
