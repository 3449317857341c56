"""Work whose holes only a model (or a person) can fill once."""

import json
from datetime import datetime

from tests.families.family import Family


class Discounts(Family):
    """Arithmetic with a threshold that no output contains."""

    name = "discounts"
    group = "synthesize"
    expects = ("synthesized", "N6")
    prompts = (
        "Work out what we owe for the orders of {date}",
        "order total for {date} into totals/{date}.txt (10% off lines of 20 and more)",
        "totals/{date}.txt please",
    )

    def prepare(self, place, day, chance):
        lines = [
            {
                "sku": f"S{chance.randint(100, 999)}",
                "quantity": chance.randint(1, 40),
                "cents": chance.randint(150, 9000),
            }
            for _ in range(chance.randint(3, 6))
        ]
        place.serve(f"http://orders.local/v2/day/{day}", {"day": str(day), "lines": lines})

    def work(self, hands, day):
        total = 0
        for line in json.loads(hands.get(f"http://orders.local/v2/day/{day}"))["lines"]:
            price = line["quantity"] * line["cents"]
            total += price * 9 // 10 if line["quantity"] >= 20 else price
        hands.write(f"totals/{day}.txt", f"{day}: {total / 100:.2f} EUR\n")


class JobDuration(Family):
    """A difference of two times, in words."""

    name = "job-duration"
    group = "synthesize"
    expects = ("synthesized", "N6")
    prompts = (
        "How long did the nightly job of {date} take? Put it in durations/{date}.txt",
        "write durations/{date}.txt (nightly job)",
    )

    def prepare(self, place, day, chance):
        hours, minutes = chance.randint(1, 3), chance.randint(0, 59)
        start = f"{day}T01:{chance.randint(10, 20)}:00"
        began = datetime.fromisoformat(start)
        ended = began.replace(hour=began.hour + hours, minute=(began.minute + minutes) % 60)
        place.put(
            "job.log",
            f"{start} INFO nightly started\n{began.replace(minute=30).isoformat()} INFO half way\n{ended.isoformat()} INFO nightly finished\n",
        )

    def work(self, hands, day):
        lines = hands.read("job.log").splitlines()
        began, ended = (datetime.fromisoformat(lines[row].split()[0]) for row in (0, -1))
        minutes = int((ended - began).total_seconds()) // 60
        hands.write(f"durations/{day}.txt", f"nightly: {minutes // 60}h {minutes % 60}m\n")


class Slugs(Family):
    """A name made file-safe."""

    name = "slugs"
    group = "synthesize"
    expects = ("compiled", "synthesized", "N5", "N6")
    prompts = (
        "Make a stub for today's talk ({date})",
        "new talk stub please, from the programme of {date}",
    )
    first = ("Faster", "Quiet", "Honest", "Tiny", "Modern", "Boring")
    second = ("Queues", "Tests", "Money", "Parsers", "Schedulers", "Backups")

    def prepare(self, place, day, chance):
        title = f"{chance.choice(self.first)} {chance.choice(self.second)}: {chance.choice(('A Tour', 'What Broke', 'In 20 Minutes'))}!"
        place.serve(
            f"http://talks.local/{day}.json",
            {"talk": {"title": title, "room": chance.choice("ABC")}},
        )

    def work(self, hands, day):
        talk = json.loads(hands.get(f"http://talks.local/{day}.json"))["talk"]
        kept = "".join(letter.lower() if letter.isalnum() else " " for letter in talk["title"])
        slug = "-".join(kept.split())
        hands.write(f"talks/{day}-{slug}.md", f"# {talk['title']}\n\nRoom {talk['room']}\n")


FAMILIES = (Discounts, JobDuration, Slugs)
