"""Invented people to call, on numbers that are kept for fiction: the same ones each time."""

from __future__ import annotations

import csv
import random
from dataclasses import dataclass
from typing import IO

FIRST_NAMES = [
    "Ada",
    "Amir",
    "Ana",
    "Ben",
    "Bianca",
    "Carlos",
    "Chloe",
    "Daniel",
    "Dana",
    "Elena",
    "Emil",
    "Farah",
    "Felix",
    "Grace",
    "Hana",
    "Hugo",
    "Ines",
    "Ivan",
    "Jade",
    "Jonas",
    "Kira",
    "Leo",
    "Lina",
    "Luis",
    "Maya",
    "Mateo",
    "Nadia",
    "Noah",
    "Olga",
    "Omar",
    "Pia",
    "Priya",
    "Quinn",
    "Rosa",
    "Ruben",
    "Sara",
    "Simon",
    "Tara",
    "Theo",
    "Uma",
    "Victor",
    "Wanda",
    "Xavier",
    "Yara",
    "Zoe",
]
LAST_NAMES = [
    "Adams",
    "Baker",
    "Becker",
    "Bell",
    "Carter",
    "Chen",
    "Cohen",
    "Costa",
    "Diaz",
    "Evans",
    "Fischer",
    "Flores",
    "Garcia",
    "Green",
    "Haddad",
    "Hughes",
    "Ito",
    "Jensen",
    "Jones",
    "Kaur",
    "Khan",
    "Kim",
    "Larsen",
    "Lopez",
    "Mbeki",
    "Meyer",
    "Miller",
    "Moreau",
    "Novak",
    "Okafor",
    "Park",
    "Patel",
    "Reyes",
    "Rossi",
    "Sato",
    "Schmidt",
    "Silva",
    "Singh",
    "Smith",
    "Tanaka",
    "Torres",
    "Walker",
    "Weber",
    "Wilson",
    "Young",
]
SERVICES = ("check-up", "cleaning", "whitening", "braces consultation", "crown fitting")
# Area codes from coast to coast, so that several time zones show.
AREAS_READY = (212, 305, 312, 404, 415, 503)
AREAS_PAST = (617, 713, 602, 206)
LINES = 100  # 555-0100 to 555-0199


@dataclass(frozen=True)
class Person:
    """Somebody in a demonstration list."""

    first_name: str
    last_name: str
    phone_number: str
    email: str
    service: str


def people(count: int, *, areas: tuple[int, ...], seed: int) -> list[Person]:
    """
    Return `count` people with numbers of their own, spread over the areas.

    :raises ValueError: if the areas hold fewer fictional numbers
    """
    if count > len(areas) * LINES:
        raise ValueError(f"{len(areas)} areas hold {len(areas) * LINES} fictional numbers.")
    chance = random.Random(seed)
    found = []
    for index in range(count):
        first, last = chance.choice(FIRST_NAMES), chance.choice(LAST_NAMES)
        area, line = areas[index % len(areas)], 100 + index // len(areas)
        found.append(
            Person(
                first_name=first,
                last_name=last,
                phone_number=f"+1{area}5550{line}",
                email=f"{first}.{last}@example.test".lower(),
                service=chance.choice(SERVICES),
            )
        )
    return found


def write_spreadsheet(target: IO[str], rows: list[Person]) -> int:
    """
    Write the list as a spreadsheet somebody might have, with what spreadsheets suffer from.

    Besides each person once it holds two people twice, a number that lost its digits, one that is
    too short and an empty one. Returns how many rows that are.
    """
    writer = csv.writer(target)
    writer.writerow(["First Name", "Last Name", "Mobile", "E-Mail", "Service"])
    bad = [
        ["Rita", "Broken", "4.15551E+09", "rita@example.test", "check-up"],
        ["Sam", "Short", "555 01", "sam@example.test", "cleaning"],
        ["Nora", "Nobody", "", "nora@example.test", "cleaning"],
    ]
    lines = [_line(person) for person in rows]
    lines[10:10] = bad
    lines += [_line(person) for person in rows[:2]]
    writer.writerows(lines)
    return len(lines)


def _line(person: Person) -> list[str]:
    digits = person.phone_number
    typed = f"({digits[2:5]}) {digits[5:8]}-{digits[8:]}"
    return [person.first_name, person.last_name, typed, person.email, person.service]
