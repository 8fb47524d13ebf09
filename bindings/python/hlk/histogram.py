# SPDX-License-Identifier: LGPL-2.1-or-later OR MIT
"""How long calls took: the histogram of hlk-run, for Python and for notebooks"""
import math
from html import escape
from typing import Dict, Iterable, List, Tuple

STEPS = 13


def text(ns: float) -> str:
    """Three digits and a unit"""
    for unit in ('ns', 'us', 'ms'):
        if ns < 999.5:
            return '%.*f %s' % (0 if unit == 'ns' or ns >= 99.95 else 1 if ns >= 9.995 else 2,
                                ns, unit)
        ns /= 1000
    return '%.2f s' % ns


class Histogram:
    """Counts of nanoseconds: ranks are exact, values to 1/8192; two are put together by +"""

    def __init__(self, values: Iterable[int] = ()) -> None:
        self.counts: Dict[int, int] = {}
        self.nr = 0
        self.sum = 0
        self.min = 0
        self.max = 0
        for value in values:
            self.add(value)

    @staticmethod
    def _bucket(ns: int) -> Tuple[int, int]:
        shift = max(0, ns.bit_length() - STEPS - 1)
        return ns >> shift << shift, (1 << shift) - 1

    def add(self, ns: int, times: int = 1) -> None:
        """One more, or several"""
        bucket = self._bucket(ns)[0]
        self.counts[bucket] = self.counts.get(bucket, 0) + times
        self.min = min(self.min, ns) if self.nr else ns
        self.max = max(self.max, ns)
        self.nr += times
        self.sum += ns * times

    def __add__(self, other: 'Histogram') -> 'Histogram':
        both = Histogram()
        for one in (self, other):
            for bucket, count in one.counts.items():
                both.counts[bucket] = both.counts.get(bucket, 0) + count
        both.nr, both.sum = self.nr + other.nr, self.sum + other.sum
        both.max = max(self.max, other.max)
        both.min = min(h.min for h in (self, other) if h.nr or not both.nr)
        return both

    def __len__(self) -> int:
        return self.nr

    @property
    def mean(self) -> float:
        """The mean, exact"""
        return self.sum / self.nr if self.nr else 0.0

    def percentile(self, percent: float) -> int:
        """The least that so many percent do not exceed; of its bucket the greatest"""
        if not self.nr:
            raise ValueError('nothing was measured')
        if percent <= 0:
            return self.min
        rank = math.ceil(round(self.nr * percent / 100, 6))
        for bucket in sorted(self.counts):
            rank -= self.counts[bucket]
            if rank <= 0:
                return min(bucket + self._bucket(bucket)[1], self.max)
        return self.max

    def rows(self, nr: int = 16) -> List[Tuple[float, int]]:
        """Where rows of a picture begin, in equal steps of the logarithm, and how many are in"""
        low, high = math.log(self.min + 1), math.log(self.percentile(99.9) + 2)
        bounds = [math.exp(low + (high - low) * i / nr) - 1 for i in range(nr)]
        counts = [0] * nr
        for bucket, count in self.counts.items():
            counts[max(i for i in range(nr) if not i or bucket >= bounds[i])] += count
        return list(zip(bounds, counts))

    def __repr__(self) -> str:
        if not self.nr:
            return 'Histogram of nothing'
        parts = ['p%g %s' % (p, text(self.percentile(p))) for p in (50, 90, 99, 99.9, 99.99)]
        return 'Histogram of %d: min %s, %s, max %s, mean %s' % (
            self.nr, text(self.min), ', '.join(parts), text(self.max), text(self.mean))

    def _repr_svg_(self) -> str:
        """What a notebook shows"""
        rows = self.rows() if self.nr else []
        most = max((count for _, count in rows), default=1) or 1
        out = ['<svg xmlns="http://www.w3.org/2000/svg" width="640" height="%d" '
               'viewBox="0 0 640 %d" font-family="sans-serif" font-size="12">' %
               ((len(rows) * 18 + 40,) * 2),
               '<rect width="100%" height="100%" fill="#fff"/>']
        for i, (bound, count) in enumerate(rows):
            y = i * 18 + 8
            out.append('<text x="86" y="%d" text-anchor="end" fill="#222">%s</text>'
                       '<rect x="94" y="%d" width="%.1f" height="13" fill="#0b7a75"/>'
                       '<text x="%.1f" y="%d" fill="#666">%d</text>' %
                       (y + 11, escape(text(bound)), y, 440 * count / most,
                        98 + 440 * count / most, y + 11, count))
        out.append('<text x="8" y="%d" font-size="11" fill="#222">%s</text></svg>' %
                   (len(rows) * 18 + 28, escape(repr(self))))
        return '\n'.join(out)
