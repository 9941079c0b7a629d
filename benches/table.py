"""Runs as markdown: the median with its range, and ratios taken round by round."""
from statistics import median


def number(value):
    """About three digits, whatever the size."""
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2 if abs(value) >= 0.1 else 3
    return f"{value:,.{digits}f}"


def spread(values):
    """`median [least–most]`; a dash where nothing was measured."""
    values = [value for value in values if value is not None]
    if not values:
        return "–"
    least, middle, most = map(number, (min(values), median(values), max(values)))
    return middle if least == most else f"{middle} [{least}–{most}]"


def in_turn(tools, turn):
    """There and back: each tool's neighbours stay the same, but none always has what the one before it left."""
    return tools[::-1] if turn % 2 else tools


def values(rows, key):
    return [row.get(key) for row in rows]


def ratios(rows, floor, key):
    """This tool's value over the floor's of the same round."""
    base = {row["round"]: row.get(key) for row in floor}
    pairs = [(row.get(key), base.get(row["round"])) for row in rows]
    return [mine / least for mine, least in pairs if mine is not None and least]


def middle(values):
    values = [value for value in values if value is not None]
    return median(values) if values else None


def select(rows, **wanted):
    return [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]


def distinct(rows, key):
    return list(dict.fromkeys(row[key] for row in rows))


def markdown(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(map(str, line)) + " |" for line in lines])


def verdict(what, limit, measured):
    """One line of the targets: said as it is, met or not."""
    if measured is None:
        return [what, f"≤ {number(limit)}", "not measured", "–"]
    return [what, f"≤ {number(limit)}", number(measured), "met" if measured <= limit else "**missed**"]
