"""Work that needs no model."""

import csv
import io
import json
from collections import defaultdict

from tests.families.family import Family, every

PATHS = ("/", "/pricing", "/docs", "/blog/launch", "/login", "/docs/install", "/careers", "/about")


class DailyReport(Family):
    """A report from one JSON page, with a table of varying length."""

    name = "daily-report"
    group = "compile"
    prompts = (
        "Write the daily traffic report for {date} to reports/{date}.md as usual",
        "Please make today's traffic report ({date}), same shape as the last ones in reports/",
        "daily report for {date} from the metrics API please",
        "Create reports/{date}.md: visits, signups, error rate and top pages",
    )

    def begin(self, place, chance):
        place.put("README.md", "# Reports\n\nOne file a day in reports/, from metrics.local.\n")

    def prepare(self, place, day, chance):
        pages = [
            {"path": path, "views": chance.randint(200, 9000)}
            for path in chance.sample(PATHS, chance.randint(3, 7))
        ]
        place.serve(
            f"http://metrics.local/api/v1/daily?date={day}",
            {
                "date": str(day),
                "visits": chance.randint(12_000, 98_000),
                "signups": chance.randint(110, 840),
                "error_rate": round(chance.uniform(0.0011, 0.0478), 4),
                "top_pages": pages,
                "generated_by": "metrics 4.2",
            },
        )

    def work(self, hands, day):
        told = json.loads(hands.get(f"http://metrics.local/api/v1/daily?date={day}"))
        lines = [
            f"# Daily report {day}",
            "",
            f"- Visits: {told['visits']:,}",
            f"- Signups: {told['signups']}",
            f"- Error rate: {told['error_rate']:.2%}",
            "",
            "## Top pages",
            "",
            *(f"- {page['path']}: {page['views']} views" for page in told["top_pages"]),
        ]
        hands.write(f"reports/{day}.md", "\n".join(lines) + "\n")


class RatesCommit(Family):
    """Three numbers out of a page, committed."""

    name = "rates-commit"
    group = "compile"
    prompts = (
        "Fetch the exchange rates of {date} and commit them",
        "update rates/ with {date} (EUR base) and commit",
        "Get the ECB rates for {date} into rates/{date}.json and commit please",
    )
    dates = staticmethod(every("2026-02-09T17:05", weekdays="01234"))

    def begin(self, place, chance):
        place.put("README.md", "Rates, one file a day. Source: http://rates.local\n")
        place.repository(self.days(1)[0].now)

    def prepare(self, place, day, chance):
        rates = {
            "USD": round(chance.uniform(1.0511, 1.1989), 4),
            "GBP": round(chance.uniform(0.8211, 0.8879), 4),
            "CHF": round(chance.uniform(0.9111, 0.9789), 4),
            "JPY": round(chance.uniform(151.11, 169.89), 2),
        }
        place.serve(
            f"http://rates.local/{day}?base=EUR", {"base": "EUR", "day": str(day), "rates": rates}
        )

    def work(self, hands, day):
        rates = json.loads(hands.get(f"http://rates.local/{day}?base=EUR"))["rates"]
        text = json.dumps({"date": str(day), "usd": rates["USD"], "gbp": rates["GBP"]}, indent=2)
        hands.write(f"rates/{day}.json", text + "\n")
        hands.run(f"git add rates/{day}.json && git commit -q -m 'Rates of {day}'")


class SalesByRegion(Family):
    """A file of the day, summed up by group."""

    name = "sales-by-region"
    group = "compile"
    prompts = (
        "Sum up the sales of {date} by region",
        "data/sales-{date}.csv has arrived, please write summaries/{date}.txt with totals per region",
        "regional totals for {date} please, like yesterday",
    )

    def begin(self, place, chance):
        place.put("README.md", "Sales files arrive in data/ every morning.\n")

    def prepare(self, place, day, chance):
        rows = [
            (chance.choice(("north", "south", "east", "west")), chance.randint(13, 4_800))
            for _ in range(chance.randint(9, 24))
        ]
        text = "order,region,amount\n" + "".join(
            f"{9000 + day.number * 40 + number},{region},{amount}\n"
            for number, (region, amount) in enumerate(rows)
        )
        place.put(f"data/sales-{day}.csv", text)

    def work(self, hands, day):
        totals: dict[str, int] = defaultdict(int)
        for row in csv.DictReader(io.StringIO(hands.read(f"data/sales-{day}.csv"))):
            totals[row["region"]] += int(row["amount"])
        lines = [f"{region}: {totals[region]}" for region in sorted(totals)]
        text = f"Sales {day}\n" + "\n".join(lines) + f"\ntotal: {sum(totals.values())}\n"
        hands.write(f"summaries/{day}.txt", text)


class ConfigBackup(Family):
    """A copy and a line in a log."""

    name = "config-backup"
    group = "compile"
    prompts = (
        "Back up config/app.ini for {date}",
        "take the weekly backup of the config ({date})",
        "Weekly config backup please, note it in backups/LOG",
    )
    dates = staticmethod(every("2026-02-02T06:00", 7))

    def begin(self, place, chance):
        place.put("backups/LOG", "Backups of config/app.ini\n")

    def prepare(self, place, day, chance):
        place.put(
            "config/app.ini",
            f"[server]\nport = {chance.randint(8000, 8999)}\nworkers = {chance.randint(2, 9)}\n"
            f"[flags]\nbeta = {chance.choice(('on', 'off'))}\n",
        )

    def work(self, hands, day):
        hands.read("config/app.ini")
        hands.run(f"cp config/app.ini backups/app-{day}.ini")
        hands.append("backups/LOG", f"{day} app.ini\n")


class FailingChecks(Family):
    """The few of a list that matter, in the order of their names."""

    name = "failing-checks"
    group = "compile"
    prompts = (
        "Which health checks fail today ({date})? Write alerts/{date}.txt",
        "write alerts/{date}.txt with the failing checks",
        "alerts for {date}: list every check that is not ok, sorted by name",
    )

    def prepare(self, place, day, chance):
        names = chance.sample(
            ("api", "billing", "cache", "db-main", "db-read", "mail", "queue", "search", "web"), 8
        )
        bad = set(chance.sample(names, chance.randint(2, 4)))
        checks = [
            {
                "name": name,
                "state": "failing" if name in bad else "ok",
                "ms": chance.randint(11, 900),
            }
            for name in names
        ]
        place.serve("http://status.local/checks.json", {"as_of": str(day), "checks": checks})

    def work(self, hands, day):
        told = json.loads(hands.get("http://status.local/checks.json"))
        failing = sorted(
            (one for one in told["checks"] if one["state"] != "ok"), key=lambda one: one["name"]
        )
        lines = [f"{one['name']} {one['ms']} ms" for one in failing]
        hands.write(f"alerts/{day}.txt", f"{len(failing)} failing\n" + "\n".join(lines) + "\n")


class PinVersion(Family):
    """Nothing to do in some weeks."""

    name = "pin-version"
    group = "compile"
    prompts = (
        "Pin our base image to the newest release",
        "check for a new base image release and bump IMAGE if there is one",
        "weekly base image bump please; commit it if something changed",
    )
    dates = staticmethod(every("2026-01-05T09:30", 7))
    bumps = (True, True, False, True, False, True, False, True, True, False, True, True)

    def begin(self, place, chance):
        place.memory["minor"] = 11
        place.put("IMAGE", "registry.local/base:4.11.0\n")
        place.repository(self.days(1)[0].now)

    def prepare(self, place, day, chance):
        if self.bumps[day.number % len(self.bumps)]:
            place.memory["minor"] += chance.randint(1, 3)
            place.memory["patch"] = chance.randint(0, 9)
        version = f"4.{place.memory['minor']}.{place.memory['patch']}"
        place.serve(
            "http://registry.local/base/latest", {"tag": version, "arch": ["amd64", "arm64"]}
        )

    def work(self, hands, day):
        newest = json.loads(hands.get("http://registry.local/base/latest"))["tag"]
        pinned = hands.read("IMAGE").strip().rpartition(":")[2]
        if pinned == newest:
            return
        hands.write("IMAGE", f"registry.local/base:{newest}\n")
        hands.run(f"git add IMAGE && git commit -q -m 'Bump base image to {newest}'")


class WeeklyNotes(Family):
    """What git says of a week."""

    name = "weekly-notes"
    group = "compile"
    prompts = (
        "Write notes/{date}.md with this week's commits",
        "weekly notes for {date}: the subjects of all commits since last week",
        "list what was committed in the week up to {date} in notes/{date}.md",
    )
    dates = staticmethod(every("2026-01-09T16:00", 7))
    words = (
        "Fix login",
        "Add export",
        "Speed up search",
        "Drop old API",
        "Translate help",
        "Tidy forms",
    )

    def begin(self, place, chance):
        place.put("src/main.txt", "begin\n")
        place.repository(self.days(1)[0].now.replace(year=2025))

    def prepare(self, place, day, chance):
        for number in range(chance.randint(2, 5)):
            place.put("src/main.txt", f"{day} {number}\n")
            place.commit(f"{chance.choice(self.words)} #{day.number * 7 + number + 100}", day.now)

    def work(self, hands, day):
        since = day.before(6)
        said = hands.run(f"git log --reverse --since={since}T00:00:00Z --format=%s")
        subjects = [line for line in said.splitlines() if line]
        hands.write(
            f"notes/{day}.md", f"# Week to {day}\n\n" + "".join(f"* {one}\n" for one in subjects)
        )


FAMILIES = (
    DailyReport,
    RatesCommit,
    SalesByRegion,
    ConfigBackup,
    FailingChecks,
    PinVersion,
    WeeklyNotes,
)
