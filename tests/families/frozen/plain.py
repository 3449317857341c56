"""Work that needs no model."""

import json

from tests.families.family import Family, every, monthly


class UptimeRow(Family):
    """A table that grows by a row."""

    name = "uptime-row"
    group = "compile"
    prompts = (
        "Add today's uptime to uptime.csv",
        "append the uptime row of {date} please",
        "uptime.csv needs the row for {date}",
    )
    dates = staticmethod(every("2026-05-11T23:30"))

    def begin(self, place, chance):
        place.put("uptime.csv", "day,percent,outages\n")

    def prepare(self, place, day, chance):
        place.serve(
            f"http://pulse.local/days/{day}",
            {
                "uptime": {"percent": round(chance.uniform(98.111, 99.989), 3)},
                "outages": chance.randint(1, 14),
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://pulse.local/days/{day}"))
        hands.append("uptime.csv", f"{day},{told['uptime']['percent']},{told['outages']}\n")


class TwoSources(Family):
    """Two pages and a file in one text."""

    name = "two-sources"
    group = "compile"
    prompts = (
        "Weather and tides of {date} for the harbour board",
        "harbour board for {date} please",
    )
    dates = staticmethod(every("2026-07-06T05:45"))

    def begin(self, place, chance):
        place.put("harbour.txt", "Lower Quay\n")

    def prepare(self, place, day, chance):
        place.serve(
            f"http://weather.local/{day}",
            {
                "wind": {
                    "knots": chance.randint(13, 48),
                    "from": chance.choice(("NW", "SW", "SE", "NE")),
                },
                "sky": chance.choice(("clear", "rain", "fog")),
            },
        )
        place.serve(
            f"http://tides.local/{day}",
            f"high {chance.randint(10, 23)}:{chance.randint(10, 59)}\nlow {chance.randint(10, 23)}:{chance.randint(10, 59)}\n",
        )

    def work(self, hands, day):
        name = hands.read("harbour.txt").strip()
        weather = json.loads(hands.get(f"http://weather.local/{day}"))
        tides = hands.get(f"http://tides.local/{day}").split()
        hands.write(
            "board.txt",
            f"{name}, {day}\nWind {weather['wind']['knots']} kn from {weather['wind']['from']}, {weather['sky']}\n"
            f"High water {tides[1]}, low water {tides[3]}\n",
        )


class OpenTodos(Family):
    """The lines of a file that carry a mark."""

    name = "open-todos"
    group = "compile"
    prompts = (
        "Collect the open points of the plan into open.txt",
        "open.txt please: all lines of plan.txt still to do",
    )
    dates = staticmethod(every("2026-02-03T10:00", 7))
    things = (
        "paint fence",
        "call bank",
        "order seeds",
        "fix gate",
        "sell bike",
        "sort photos",
        "wash car",
        "bake bread",
    )

    def prepare(self, place, day, chance):
        lines = [
            f"{chance.choice(('TODO', 'DONE', 'TODO'))} {thing}"
            for thing in chance.sample(self.things, 7)
        ]
        place.put("plan.txt", "\n".join(["TODO water plants", *lines]) + "\n")

    def work(self, hands, day):
        lines = hands.read("plan.txt").splitlines()
        kept = [line.removeprefix("TODO ") for line in lines if line.startswith("TODO ")]
        hands.write("open.txt", "".join(f"[ ] {line}\n" for line in kept))


class Manifest(Family):
    """A version from one file into another, committed under its name."""

    name = "manifest"
    group = "compile"
    prompts = (
        "Update the deploy manifest to the current version",
        "manifest bump please ({date})",
        "deploy.yml should carry the version of package.json; commit",
    )
    dates = staticmethod(every("2026-03-04T14:00", 7))

    def begin(self, place, chance):
        place.put("deploy.yml", "image: shop:0.0.0\n")
        place.put("package.json", '{"name": "shop", "version": "0.0.0"}\n')
        place.repository(self.days(1)[0].now)

    def prepare(self, place, day, chance):
        version = f"{3 + day.number}.{chance.randint(0, 20)}.{chance.randint(0, 9)}"
        place.put(
            "package.json",
            json.dumps({"name": "shop", "version": version, "private": True}, indent=2) + "\n",
        )
        place.commit(f"Release {version}", day.now)

    def work(self, hands, day):
        version = json.loads(hands.read("package.json"))["version"]
        hands.write("deploy.yml", f"image: shop:{version}\nreplicas: 3\nreleased: {day}\n")
        hands.run(f"git add deploy.yml && git commit -q -m 'Deploy {version}'")


class Leaderboard(Family):
    """The best three."""

    name = "leaderboard"
    group = "compile"
    prompts = (
        "Top three of {date}, please",
        "podium/{date}.md as always",
        "write the podium of {date}",
    )
    dates = staticmethod(every("2026-08-03T22:00"))
    players = ("Anouk", "Bela", "Chidi", "Dana", "Emre", "Femi", "Gita", "Hana")

    def prepare(self, place, day, chance):
        scores = chance.sample(range(110, 990), 6)
        rows = [
            {"player": name, "score": score}
            for name, score in zip(chance.sample(self.players, 6), scores, strict=True)
        ]
        place.serve(f"http://arena.local/scores/{day}.json", rows)

    def work(self, hands, day):
        rows = json.loads(hands.get(f"http://arena.local/scores/{day}.json"))
        best = sorted(rows, key=lambda row: -row["score"])[:3]
        hands.write(
            f"podium/{day}.md",
            f"# {day}\n" + "".join(f"{row['player']} ({row['score']})\n" for row in best),
        )


class Mirror(Family):
    """A page kept as it is."""

    name = "mirror"
    group = "compile"
    prompts = (
        "Mirror the price list",
        "save today's price list ({date})",
        "price list of {date} into lists/",
    )

    def prepare(self, place, day, chance):
        rows = "".join(
            f"{chance.randint(100, 999)}\t{chance.randint(1, 90)}.{chance.randint(10, 99)}\n"
            for _ in range(12)
        )
        place.serve("http://prices.local/list.tsv", f"# valid {day}\n{rows}")

    def work(self, hands, day):
        hands.run("mkdir -p lists")
        hands.run(f"curl -s http://prices.local/list.tsv -o lists/{day}.tsv")


class NextInvoice(Family):
    """A counter, padded with zeros, and a file named by it."""

    name = "next-invoice"
    group = "compile"
    prompts = ("Prepare the invoice stub for this month", "new invoice stub please ({date})")
    dates = staticmethod(monthly("2026-01-28T11:00"))

    def begin(self, place, chance):
        place.put("LAST", "0041\n")

    def prepare(self, place, day, chance):
        place.serve(
            f"http://hours.local/{day.date:%Y-%m}",
            {"month": f"{day.date:%Y-%m}", "hours": chance.randint(61, 158)},
        )

    def work(self, hands, day):
        hours = json.loads(hands.get(f"http://hours.local/{day.date:%Y-%m}"))["hours"]
        number = f"{int(hands.read('LAST')) + 1:04d}"
        hands.write(f"invoices/{number}.txt", f"Invoice {number}\nDate {day}\nHours {hours}\n")
        hands.write("LAST", f"{number}\n")


FAMILIES = (UptimeRow, TwoSources, OpenTodos, Manifest, Leaderboard, Mirror, NextInvoice)
