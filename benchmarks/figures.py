"""A row of the table: repeated measurements of one thing on both sides."""
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    heading: str  # of the table it stands in
    what: str
    unit: str
    better: str  # "lower" or "higher"
    digits: int = None  # behind the point; None: three significant ones
    figures: dict = field(default_factory=dict)  # who -> measurements, in the order taken

    def add(self, who, value):
        self.figures.setdefault(who, []).append(value)

    def median(self, who):
        return statistics.median(self.figures[who])

    def worst(self, who):
        return (max if self.better == "lower" else min)(self.figures[who])

    def cell(self, who):
        return f"{self._number(self.median(who))} ({self._number(self.worst(who))}; {len(self.figures[who])})"

    def _number(self, value):
        if self.digits is not None:
            return f"{value:.{self.digits}f}"
        return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"

    def to_json(self):
        return asdict(self)
