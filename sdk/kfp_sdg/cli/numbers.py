"""Numbers for people."""

from __future__ import annotations


def rows_phrase(count: int) -> str:
    """Return "1 row" or "1,234 rows"."""
    return f"{count:,} row{'' if count == 1 else 's'}"


def answers_phrase(count: int) -> str:
    """Return "1 answer" or "1,234 answers"."""
    return f"{count:,} answer{'' if count == 1 else 's'}"


def blocks_phrase(count: int) -> str:
    """Return "1 block" or "3 blocks"."""
    return f"{count:,} block{'' if count == 1 else 's'}"


def compact(number: float) -> str:
    """Return a number in at most five characters: 999, 1.2k, 34k, 5.6M."""
    for limit, divisor, unit in ((1e4, 1, ""), (1e6, 1e3, "k"), (1e9, 1e6, "M")):
        if number < limit:
            scaled = number / divisor
            return f"{scaled:.0f}{unit}" if not unit or scaled >= 100 else f"{scaled:.1f}{unit}"
    return f"{number / 1e9:.1f}G"


def rate(number: float) -> str:
    """Return something per second with two digits that mean something: 0.25, 3.1, 120, 12.3k."""
    if number >= 100:
        return compact(number)
    return f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def three_digits(number: float) -> str:
    """Return a number with three digits: 0.052, 0.520, 5.20, 52.0, 520."""
    decimals = 0 if number >= 100 else 1 if number >= 10 else 2 if number >= 1 else 3
    return f"{number:.{decimals}f}"


def clock(seconds: float) -> str:
    """Return a time span: 0.3 s, 12 s, 3 min 05 s, 2 h 07 min."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
