"""A row of the table: repeated measurements of one thing on both sides."""
import statistics
from dataclasses import asdict, dataclass, field


@dataclass
class Row:
    section: str  # the heading it stands under
    what: str
    unit: str
    better: str  # "lower" or "higher"
    figures: dict = field(default_factory=dict)  # who -> measurements, in the order taken

    def add(self, who, value):
        self.figures.setdefault(who, []).append(value)

    def median(self, who):
        return statistics.median(self.figures[who])

    def worst(self, who):
        return (max if self.better == "lower" else min)(self.figures[who])

    def to_json(self):
        return asdict(self)
