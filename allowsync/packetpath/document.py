"""Answers as JSON, between the asking process and its caller."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from allowsync.packetpath.question import Aim, Answer, Answers, Machine, PacketVerdict, Question


def from_answers(answers: Answers) -> dict[str, Any]:
    """Return answers as a JSON document."""
    machine = answers.machine
    return {
        "uplinks": machine.uplinks,
        "vpns": machine.vpns,
        "interfaces": machine.interfaces,
        "addresses": {name: list(map(str, held)) for name, held in machine.addresses.items()},
        "caveats": machine.caveats,
        "neighbours": {str(address): mac for address, mac in machine.neighbours.items()},
        "served_twice": machine.served_twice,
        "undiscovered": machine.undiscovered,
        "named": {str(address): network for address, network in machine.named.items()},
        "answers": [
            [
                _from_question(one.question),
                one.verdict.value,
                one.rules,
                one.to and [one.to[0], str(one.to[1]), one.to[2]],
                one.reason,
                one.unanswered,
                one.heard,
                one.asked,
            ]
            for one in answers.answers
        ],
        "unknown": answers.unknown,
    }


def to_answers(document: Any) -> Answers:
    """Return the answers in a document made by `from_answers`."""
    addresses = {name: tuple(map(ip_address, held)) for name, held in document["addresses"].items()}
    machine = Machine(
        uplinks=tuple(document["uplinks"]),
        vpns=tuple(document["vpns"]),
        interfaces=tuple(document["interfaces"]),
        addresses=addresses,
        caveats=tuple(document["caveats"]),
        neighbours={ip_address(one): mac for one, mac in document["neighbours"].items()},
        served_twice=tuple(document["served_twice"]),
        undiscovered=document["undiscovered"],
        named={ip_address(one): network for one, network in document["named"].items()},
    )
    answers = tuple(
        Answer(
            question=_to_question(question),
            verdict=PacketVerdict(verdict),
            rules=tuple(rules),
            to=to and (to[0], ip_address(to[1]), to[2]),
            reason=reason,
            unanswered=unanswered,
            heard=heard,
            asked=tuple(positions),
        )
        for question, verdict, rules, to, reason, unanswered, heard, positions in document[
            "answers"
        ]
    )
    return Answers(machine, answers, document["unknown"])


def _from_question(one: Question) -> list[Any]:
    destination = "" if one.destination is None else str(one.destination)
    aim = one.aim.value
    return [str(one.source), one.protocol, one.port, one.interface, destination, aim, one.last]


def _to_question(document: Any) -> Question:
    source, protocol, port, interface, destination, aim, last = document
    asked = ip_address(destination) if destination else None
    return Question(ip_address(source), protocol, port, interface, asked, Aim(aim), last)
