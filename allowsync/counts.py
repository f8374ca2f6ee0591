"""Numbers of things as people say them."""


def counted(number: int, one: str, many: str = "") -> str:
    """`1 entry`, `2 entries`. `many` is only needed where it is more than an `s`."""
    return f"{number} {one if number == 1 else many or one + 's'}"
