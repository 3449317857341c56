"""Work whose holes only a model (or a person) can fill once."""

import csv
import io
import json

from tests.families.family import Family


class GrossAmounts(Family):
    """Tax and rounding."""

    name = "gross-amounts"
    group = "synthesize"
    expects = ("synthesized", "N6")
    prompts = ("Gross amounts of {date}", "gross/{date}.csv please, 19% on top, rounded to cents")

    def prepare(self, place, day, chance):
        rows = [
            {"id": f"K{chance.randint(100, 999)}", "net": chance.randint(1000, 99_000)}
            for _ in range(4)
        ]
        place.serve(f"http://ledger.local/{day}", {"rows": rows})

    def work(self, hands, day):
        rows = json.loads(hands.get(f"http://ledger.local/{day}"))["rows"]
        lines = [f"{row['id']},{(row['net'] * 119 + 50) // 100 / 100:.2f}" for row in rows]
        hands.write(f"gross/{day}.csv", "id,gross\n" + "\n".join(lines) + "\n")


class Initials(Family):
    """Names shortened."""

    name = "initials"
    group = "synthesize"
    expects = ("compiled", "synthesized", "N5", "N6")
    prompts = (
        "Who is in today? Initials for the board ({date})",
        "board/{date}.txt: initials of everybody present",
    )
    first = ("Ada", "Grace", "Edsger", "Barbara", "Donald", "Radia", "Alan", "Frances")
    last = ("Lovelace", "Hopper", "Dijkstra", "Liskov", "Knuth", "Perlman", "Kay", "Allen")

    def prepare(self, place, day, chance):
        people = [
            f"{chance.choice(self.first)} {chance.choice(self.last)}"
            for _ in range(chance.randint(3, 5))
        ]
        place.put("present.txt", "\n".join(people) + "\n")

    def work(self, hands, day):
        people = hands.read("present.txt").splitlines()
        short = ["".join(part[0] for part in name.split()) for name in people]
        hands.write(f"board/{day}.txt", " ".join(short) + "\n")


class Joined(Family):
    """Two tables joined by a key."""

    name = "joined"
    group = "synthesize"
    expects = ("compiled", "synthesized", "N5", "N6")
    prompts = ("Match the payments of {date} to the customers", "matched/{date}.txt please")
    names = ("Orchard", "Bakery", "Harbour", "Museum", "Library")

    def prepare(self, place, day, chance):
        numbers = chance.sample(range(100, 999), 5)
        place.put(
            "customers.csv",
            "id,name\n"
            + "".join(
                f"{number},{name}\n" for number, name in zip(numbers, self.names, strict=True)
            ),
        )
        paid = [
            {"customer": chance.choice(numbers), "cents": chance.randint(1000, 9999)}
            for _ in range(3)
        ]
        place.serve(f"http://bank.local/{day}", {"payments": paid})

    def work(self, hands, day):
        rows = csv.DictReader(io.StringIO(hands.read("customers.csv")))
        names = {row["id"]: row["name"] for row in rows}
        paid = json.loads(hands.get(f"http://bank.local/{day}"))["payments"]
        lines = [f"{names[str(one['customer'])]} paid {one['cents']}" for one in paid]
        hands.write(f"matched/{day}.txt", "\n".join(lines) + "\n")


FAMILIES = (GrossAmounts, Initials, Joined)
