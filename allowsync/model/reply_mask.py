"""Answers of the DNS, compared byte by byte without being understood.

Two answers say the same when they differ in nothing but the id, the case of the letters of the
question, and the TTLs. Where the TTLs stand is found once, in an answer that was read as a whole
and found to be in order (RFC 1035 section 4.1).
"""

HEADER = 12
POINTER = 0xC0


def time_offsets(wire: bytes) -> tuple[int, ...]:
    """Where the TTLs of a well-formed answer to one question stand.

    Raises:
        IndexError: It is not well formed after all.
    """
    place = _after_name(wire, HEADER) + 4
    offsets = []
    for _ in range(sum(int.from_bytes(wire[at : at + 2], "big") for at in (6, 8, 10))):
        place = _after_name(wire, place) + 4
        offsets.append(place)
        place += 6 + int.from_bytes(wire[place + 4 : place + 6], "big")
    if place != len(wire):
        raise IndexError(place)
    return tuple(offsets)


def masked(wire: bytes, question: int, offsets: tuple[int, ...]) -> bytes:
    """An answer without its id, the spelling of its question, and its TTLs.

    Args:
        wire: The answer.
        question: How long its question section is, in bytes.
        offsets: Where its TTLs stand.
    """
    blank = bytearray(wire)
    blank[0:2] = b"\0\0"
    blank[HEADER : HEADER + question] = bytes(question)
    for offset in offsets:
        blank[offset : offset + 4] = b"\0\0\0\0"
    return bytes(blank)


def _after_name(wire: bytes, place: int) -> int:
    while wire[place]:
        if wire[place] & POINTER == POINTER:
            return place + 2
        place += 1 + wire[place]
    return place + 1
