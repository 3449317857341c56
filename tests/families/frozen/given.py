"""Work whose value comes with the words; written before the compiler knew of such."""

import csv
import io
import json

from tests.families.family import Family, every


class InvoiceFor(Family):
    """A name that is a row of a file, and a part of a path in other letters."""

    name = "invoice-for"
    group = "compile"
    prompts = (
        "Prepare the invoice draft for customer {value}",
        "customer {value}: invoice draft please",
        "Invoice draft for customer {value} ({day})",
    )
    names = ("Nordwind", "Kestrel", "Bluefin", "Marble", "Tindle", "Osprey", "Vantage", "Quill",
             "Harrow", "Lindqvist", "Zephyr")  # fmt: skip
    dates = staticmethod(every("2026-04-06T11:20", 3))

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.names[day.number], day=day)

    def prepare(self, place, day, chance):
        rows = "".join(
            f"{name},{chance.randint(4, 60)},{chance.choice((80, 95, 110))},{chance.choice(('EUR', 'SEK'))}\n"
            for name in chance.sample(self.names, len(self.names))
        )
        place.put("customers.csv", "name,hours,rate,currency\n" + rows)

    def work(self, hands, day):
        name = self.names[day.number]
        rows = csv.DictReader(io.StringIO(hands.read("customers.csv")))
        row = {row["name"]: row for row in rows}[name]
        amount = int(row["hours"]) * int(row["rate"])
        text = (
            f"Invoice draft for {name}\nDate: {day}\n\n"
            f"{row['hours']} hours at {row['rate']} {row['currency']}\nTotal: {amount} {row['currency']}\n"
        )
        hands.write(f"invoices/{name.lower()}-{day}.txt", text)


class ReleaseNotes(Family):
    """A component and its version: two files in, one out, and a commit."""

    name = "release-notes"
    group = "compile"
    prompts = (
        "Write the release notes of {part} {version}",
        "release notes for {part} {version}, then commit them",
    )
    parts = ("parser", "server", "client", "parser", "client", "server", "parser", "client",
             "server", "worker", "parser")  # fmt: skip
    versions = ("1.2.0", "0.9.4", "3.1.7", "1.2.1", "3.2.0", "0.9.5", "1.3.0", "3.2.1",
                "0.10.0", "2.0.1", "1.4.0")  # fmt: skip

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(
            part=self.parts[day.number], version=self.versions[day.number]
        )

    def begin(self, place, chance):
        place.put("README.md", "Release notes, one file for each release.\n")
        place.repository(self.days(1)[0].now)

    def prepare(self, place, day, chance):
        words = ("faster start", "fewer retries", "a fix for empty input", "clearer errors",
                 "no more leaks", "support for proxies", "smaller images")  # fmt: skip
        chosen = chance.sample(words, chance.randint(2, 5))
        place.put(f"changes/{self.parts[day.number]}.txt", "".join(f"{one}\n" for one in chosen))
        place.commit("Changes", day.now)

    def work(self, hands, day):
        part, version = self.parts[day.number], self.versions[day.number]
        lines = hands.read(f"changes/{part}.txt").splitlines()
        text = f"# {part} {version}\n\n" + "".join(f"* {line}\n" for line in lines)
        path = f"notes/{part}-{version}.md"
        hands.write(path, text)
        hands.run(f"git add {path} && git commit -q -m 'Release notes of {part} {version}'")


class TeamQuota(Family):
    """A team and a small number; the old number is in the file, and other small numbers too."""

    name = "team-quota"
    group = "trap"
    expects = ("compiled", "N5", "N6", "N7")
    prompts = ("Set the quota of team {team} to {size} GB", "team {team} gets {size} GB from today")
    teams = (
        "blue",
        "red",
        "green",
        "amber",
        "blue",
        "green",
        "red",
        "amber",
        "blue",
        "amber",
        "green",
    )
    sizes = (12, 8, 20, 16, 24, 32, 10, 14, 40, 9, 28)

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(
            team=self.teams[day.number], size=self.sizes[day.number]
        )

    def begin(self, place, chance):
        for team in dict.fromkeys(self.teams):
            told = {"team": team, "quota": chance.randint(5, 30), "members": chance.randint(2, 9)}
            place.put(f"quota/{team}.json", json.dumps(told) + "\n")

    def work(self, hands, day):
        team, size = self.teams[day.number], self.sizes[day.number]
        told = json.loads(hands.read(f"quota/{team}.json"))
        text = f"{day}: {team} from {told['quota']} to {size} GB, {told['members']} members\n"
        told["quota"] = size
        hands.write(f"quota/{team}.json", json.dumps(told) + "\n")
        hands.write(f"quota/changes/{team}-{day}.txt", text)


FAMILIES = (InvoiceFor, ReleaseNotes, TeamQuota)
