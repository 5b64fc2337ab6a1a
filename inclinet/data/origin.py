"""Whether galaxies are real or simulated: counted, and told in words."""

from collections.abc import Iterable

from pydantic import Field

from inclinet.data.galaxies import SIMULATED_PGC
from inclinet.records import Record

__all__ = ["Galaxies", "count_galaxies"]


class Galaxies(Record):
    """How many galaxies of a set are real, and how many simulated."""

    real: int = Field(ge=0)
    simulated: int = Field(ge=0)

    @property
    def all_simulated(self) -> bool:
        """Whether there are galaxies, and none of them is real."""
        return self.simulated > 0 and not self.real

    @property
    def truth(self) -> str:
        """What their labels are called: people judge real galaxies, of simulated ones the inclination is known."""
        if self.all_simulated:
            return "true inclination"
        return "labelled inclination" if self.simulated else "human inclination"

    def __str__(self) -> str:
        """Return them in words, such as `449 real and 5,400 simulated galaxies`."""
        counts = {"real": self.real, "simulated": self.simulated}
        named = [f"{n:,} {kind}" for kind, n in counts.items() if n]
        only = self.real + self.simulated == 1
        return f"{' and '.join(named) or 'no'} {'galaxy' if only else 'galaxies'}"


def count_galaxies(pgcs: Iterable[int]) -> Galaxies:
    """Count the galaxies among PGC numbers, each of which may appear several times."""
    unique = set(map(int, pgcs))
    simulated = sum(pgc >= SIMULATED_PGC for pgc in unique)
    return Galaxies(real=len(unique) - simulated, simulated=simulated)
