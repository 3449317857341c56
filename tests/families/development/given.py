"""Work whose value comes with the words: a region, a ticket, a version."""

import csv
import io
import json

from tests.families.family import Family, every

REGIONS = ("EMEA", "APAC", "AMER", "EMEA", "LATAM", "APAC", "AMER", "EMEA", "NORDICS", "ANZ", "MEA")
"""The last three are never seen in building, as in every family here."""


class RegionSales(Family):
    """One region out of a file that has all of them."""

    name = "region-sales"
    group = "compile"
    prompts = (
        "Write the weekly sales summary for region {value}",
        "Please write the sales summary of region {value} again",
    )
    dates = staticmethod(every("2026-03-02T09:10", weekdays="0134"))

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=REGIONS[day.number])

    def prepare(self, place, day, chance):
        regions = [one for one in dict.fromkeys(REGIONS) for _ in range(chance.randint(2, 5))]
        chance.shuffle(regions)
        text = "order,region,amount\n" + "".join(
            f"{7000 + day.number * 60 + number},{region},{chance.randint(13, 4_800)}\n"
            for number, region in enumerate(regions)
        )
        place.put("data/sales.csv", text)

    def work(self, hands, day):
        region = REGIONS[day.number]
        rows = [
            row
            for row in csv.DictReader(io.StringIO(hands.read("data/sales.csv")))
            if row["region"] == region
        ]
        lines = [f"- {row['order']}: {row['amount']}" for row in rows]
        total = sum(int(row["amount"]) for row in rows)
        text = f"# Sales in {region}, {day}\n\n" + "\n".join(lines) + f"\n\ntotal: {total}\n"
        hands.write(f"summaries/{region}-{day}.md", text)


class CloseTicket(Family):
    """A number that names a file."""

    name = "close-ticket"
    group = "compile"
    prompts = ("close ticket {value}", "Please close ticket {value} and note it in tickets/LOG")
    numbers = (1041, 1007, 1112, 998, 1203, 1118, 1090, 1230, 1301, 987, 1412)
    titles = ("Cannot log in", "Slow export", "Typo in the footer", "Wrong total", "Crash on start")
    people = ("ada", "grace", "radia", "sophie")

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.numbers[day.number])

    def begin(self, place, chance):
        place.put("tickets/LOG", "Closed tickets\n")
        for number in self.numbers:
            told = {
                "ticket": number,
                "title": f"{chance.choice(self.titles)} ({chance.randint(2, 99)})",
                "owner": chance.choice(self.people),
                "state": "open",
            }
            place.put(f"tickets/{number}.json", json.dumps(told, indent=2) + "\n")

    def work(self, hands, day):
        number = self.numbers[day.number]
        told = json.loads(hands.read(f"tickets/{number}.json"))
        told["state"] = "closed"
        hands.write(f"tickets/{number}.json", json.dumps(told, indent=2) + "\n")
        hands.append("tickets/LOG", f"{day} {number} {told['title']} ({told['owner']})\n")


class VersionBump(Family):
    """A version, into one line of a file and a commit."""

    name = "version-bump"
    group = "compile"
    prompts = ("bump widget to {value}", "Set the version of widget to {value} and commit")
    versions = ("2.4.1", "2.4.2", "2.5.0", "2.6.0", "2.6.1", "2.7.0", "3.0.0", "3.0.1",
                "3.1.0", "3.10.2", "4.0.0")  # fmt: skip
    dates = staticmethod(every("2026-02-03T16:00", 6))

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.versions[day.number])

    def begin(self, place, chance):
        place.put(
            "widget.toml",
            '[package]\nname = "widget"\nversion = "2.4.0"\nlicense = "MIT"\n\n[build]\nfast = true\n',
        )
        place.repository(self.days(1)[0].now)

    def work(self, hands, day):
        version = self.versions[day.number]
        lines = hands.read("widget.toml").split("\n")
        lines[2] = f'version = "{version}"'
        hands.write("widget.toml", "\n".join(lines))
        hands.run(f"git add widget.toml && git commit -q -m 'Bump widget to {version}'")


class CustomerPlan(Family):
    """Two values in one sentence, in either order."""

    name = "customer-plan"
    group = "compile"
    prompts = (
        "Move customer {customer} to the {plan} plan",
        "New plan {plan} for customer {customer}, please write the change note",
    )
    customers = ("acme-17", "bolt-3", "corex-121", "delta-40", "ember-9", "fargo-77", "gulf-256",
                 "harbor-5", "indigo-31", "jumbo-2", "krill-640")  # fmt: skip
    plans = ("basic", "team", "business", "team", "basic", "business", "team", "basic",
             "business", "team", "basic")  # fmt: skip

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(
            customer=self.customers[day.number], plan=self.plans[day.number]
        )

    def prepare(self, place, day, chance):
        prices = {"basic": 25, "team": 79, "business": 240}
        place.serve(
            "http://crm.local/plans",
            {
                "plans": [
                    {"plan": plan, "price": price + day.number} for plan, price in prices.items()
                ]
            },
        )
        for customer in self.customers:
            place.serve(
                f"http://crm.local/customers/{customer}",
                {"id": customer, "seats": chance.randint(3, 80), "mail": f"{customer}@example.com"},
            )

    def work(self, hands, day):
        customer, plan = self.customers[day.number], self.plans[day.number]
        told = json.loads(hands.get(f"http://crm.local/customers/{customer}"))
        plans = json.loads(hands.get("http://crm.local/plans"))["plans"]
        price = {one["plan"]: one["price"] for one in plans}[plan]
        text = (
            f"# {customer}: {plan}\n\nmail: {told['mail']}\nseats: {told['seats']}\n"
            f"price: {price} a seat from {day}\n"
        )
        hands.write(f"changes/{customer}-{day}.md", text)


class ShopNumber(Family):
    """A small number from the words, which something else in the data says as well, until it does not."""

    name = "shop-number"
    group = "trap"
    prompts = ("Stock note for shop {value}", "Please write the stock note of shop {value}")
    shops = (4, 7, 2, 9, 3, 8, 5, 6, 7, 2, 4)

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.shops[day.number])

    def prepare(self, place, day, chance):
        for shop in range(1, 12):
            aisles = shop if day.number < self.runs else shop + 3
            place.serve(
                f"http://stock.local/shops/{shop}",
                {"aisles": aisles, "low": chance.randint(12, 60), "of": chance.randint(400, 900)},
            )

    def work(self, hands, day):
        shop = self.shops[day.number]
        told = json.loads(hands.get(f"http://stock.local/shops/{shop}"))
        text = f"Shop {shop} on {day}\n{told['low']} of {told['of']} articles are low\n"
        hands.write(f"notes/shop-{shop}-{day}.txt", text)


class DayAsked(Family):
    """A day that is not the day of the run."""

    name = "day-asked"
    group = "trap"
    prompts = ("Rebuild the digest of {value}", "digest for {value} again please, from its log")
    backs = (9, 1, 30, 4, 17, 2, 12, 5, 21, 1, 3)
    source, target, first, second = "logs", "digests", "hits", "errors"

    def asked(self, day):
        return day.before(self.backs[day.number])

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.asked(day))

    def prepare(self, place, day, chance):
        for back in range(1, 32):
            text = f"{self.first} {chance.randint(2_000, 9_000)}\n{self.second} {chance.randint(31, 99)}\n"
            place.put(f"{self.source}/{day.before(back)}.txt", text)

    def work(self, hands, day):
        told = hands.read(f"{self.source}/{self.asked(day)}.txt").split()
        text = f"{told[1]} {self.first}, {told[3]} {self.second}\n"
        hands.write(f"{self.target}/{self.asked(day)}.md", text)


class MostlyYesterday(DayAsked):
    """In every run that anybody saw it was the day before."""

    name = "mostly-yesterday"
    prompts = ("Meter reading of {value}", "meter reading for {value} please")
    source, target, first, second = "meters", "readings", "water", "gas"
    backs = (1, 1, 1, 1, 1, 1, 1, 1, 4, 1, 6)


class HostileValue(Family):
    """Words, until somebody asks for something that is none: the agent puts it in other words, a script must not."""

    name = "hostile-value"
    group = "trap"
    prompts = ("Make the page of topic {value}", "topic {value}: please make its page")
    topics = ("sailing", "chess", "gardening", "pottery", "running", "baking", "birds", "maps",
              "; rm -rf ~", "../../outside", "-rf")  # fmt: skip

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.topics[day.number])

    def prepare(self, place, day, chance):
        place.put("site/menu.txt", f"{chance.randint(20, 90)} pages\n")

    def work(self, hands, day):
        topic = "-".join(
            "".join(c if c.isalnum() else " " for c in self.topics[day.number]).split()
        )
        menu = hands.read("site/menu.txt").split()[0]
        hands.write(f"site/{topic}.html", f"<b>{topic}</b>\n<p>One of {menu} pages</p>\n")
        hands.run(f"cp site/{topic}.html site/newest-{day}.html")


class PathAsked(Family):
    """A value that is a path, in every run."""

    name = "path-asked"
    group = "trap"
    expects = ("compiled", "N5", "N6", "N7")
    prompts = ("Refresh the page {value}", "page {value} needs a refresh, please")
    pages = ("guide/setup", "guide/install", "api/users", "api/tokens", "guide/faq", "api/errors",
             "guide/upgrade", "api/limits", "guide/cli", "../../outside", "api/paging")  # fmt: skip

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.pages[day.number])

    def prepare(self, place, day, chance):
        for page in self.pages:
            if ".." not in page:
                place.put(f"text/{page}.txt", f"{chance.randint(120, 900)} words\n")

    def work(self, hands, day):
        page = self.pages[day.number]
        if ".." in page:
            return
        words = hands.read(f"text/{page}.txt").split()[0]
        hands.write(f"site/{page}.html", f"<p>{page} has {words} words</p>\n")


class Reworded(Family):
    """Asked for in other words each time: nobody can tell by its place what is the value."""

    name = "reworded"
    group = "refuse"
    expects = ("N5", "N6", "N7")
    prompts = (
        "Write up {value}",
        "I need the numbers {value} has, in a file",
        "{value} once more please",
        "Could you do the one on {value}? Thanks",
        "now the same but {value}",
        "{value}! as always",
        "Sales people ask for {value}, put it where it belongs",
        "We want a sheet about {value}",
        "Go on with {value} and nothing else",
        "what about {value}",
        "let us have {value} today",
    )

    countries = ("Chile", "Norway", "Kenya", "Japan", "Peru", "Ghana", "Malta", "Nepal", "Laos",
                 "Qatar", "Tonga")  # fmt: skip

    def prompt(self, day, chance):
        return self.prompts[day.number].format(value=self.countries[day.number])

    def prepare(self, place, day, chance):
        for country in self.countries:
            place.serve(
                f"http://sales.local/figures?country={country}",
                {"sold": chance.randint(1_100, 9_900)},
            )

    def work(self, hands, day):
        country = self.countries[day.number]
        told = json.loads(hands.get(f"http://sales.local/figures?country={country}"))
        hands.write(f"sheets/{country}.txt", f"{country} sold {told['sold']}\n")


class Vendor(Family):
    """The name is given, the opinion is not."""

    name = "vendor-opinion"
    group = "refuse"
    expects = ("N4",)
    prompts = ("Write a short assessment of vendor {value}", "assessment of vendor {value} please")
    vendors = ("Alder", "Birch", "Cedar", "Dogwood", "Elm", "Fir", "Ginkgo", "Hazel", "Iris",
               "Juniper", "Kapok")  # fmt: skip
    words = (
        "answers quickly but rarely solves anything at the first attempt",
        "delivers late and explains it well, which helps nobody",
        "was pleasant to work with although the invoices need checking",
        "knows the trade and charges for knowing it",
        "would be my first choice if the contract were shorter",
        "improved after the change of hands last spring",
        "sends different people every time and it shows",
    )

    def prompt(self, day, chance):
        return chance.choice(self.prompts).format(value=self.vendors[day.number])

    def prepare(self, place, day, chance):
        for vendor in self.vendors:
            place.serve(f"http://vendors.local/{vendor}", {"orders": chance.randint(13, 88)})
        place.memory["words"] = chance.choice(self.words)

    def work(self, hands, day):
        vendor = self.vendors[day.number]
        told = json.loads(hands.get(f"http://vendors.local/{vendor}"))
        text = f"# {vendor}\n\n{told['orders']} orders. {vendor} {hands.place.memory['words']}.\n"
        hands.write(f"vendors/{vendor}.md", text)


class RegionReturns(RegionSales):
    """Asked for in nearly the same words, of other rows."""

    name = "region-returns"
    group = "alike"
    alike = "region"
    prompts = (
        "Write the weekly returns summary for region {value}",
        "Please write the returns summary of region {value} again",
    )

    def prepare(self, place, day, chance):
        regions = [one for one in dict.fromkeys(REGIONS) for _ in range(chance.randint(2, 5))]
        chance.shuffle(regions)
        text = "parcel,region,reason\n" + "".join(
            f"{300 + day.number * 60 + number},{region},{chance.choice(('broken', 'late', 'wrong'))}\n"
            for number, region in enumerate(regions)
        )
        place.put("data/returns.csv", text)

    def work(self, hands, day):
        region = REGIONS[day.number]
        rows = [
            row
            for row in csv.DictReader(io.StringIO(hands.read("data/returns.csv")))
            if row["region"] == region
        ]
        lines = [f"{row['parcel']} {row['reason']}" for row in rows]
        text = f"{len(rows)} returns in {region}\n" + "\n".join(lines) + "\n"
        hands.write(f"returns/{region}-{day}.txt", text)


FAMILIES = (
    *(RegionSales, CloseTicket, VersionBump, CustomerPlan, ShopNumber, DayAsked, MostlyYesterday),
    *(HostileValue, PathAsked, Reworded, Vendor, RegionReturns),
)
