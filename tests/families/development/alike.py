"""Two tasks that look like one."""

import json

from tests.families.family import Family, every


class StockEurope(Family):
    """The warehouse of one continent, in pieces."""

    name = "stock-europe"
    group = "alike"
    alike = "stock"
    folder = "stock"
    prompts = (
        "Write the stock list of {date} for Europe",
        "stock list EU {date} please",
        "EU stock for {date}",
    )
    host, place_name, unit = "eu.stock.local", "europe", "pieces"

    def prepare(self, place, day, chance):
        items = [
            {"sku": sku, "pieces": chance.randint(120, 4_000), "pallets": chance.randint(2, 40)}
            for sku in ("anchor", "bolt", "chain", "drum")
        ]
        place.serve(f"http://{self.host}/v1/stock?day={day}", {"day": str(day), "items": items})

    def work(self, hands, day):
        items = json.loads(hands.get(f"http://{self.host}/v1/stock?day={day}"))["items"]
        lines = [f"{one['sku']},{one[self.unit]}" for one in items]
        hands.write(f"{self.place_name}/{day}.csv", f"sku,{self.unit}\n" + "\n".join(lines) + "\n")


class StockAmerica(StockEurope):
    """The other continent, in pallets."""

    name = "stock-america"
    prompts = (
        "Write the stock list of {date} for America",
        "stock list US {date} please",
        "US stock for {date}",
    )
    host, place_name, unit = "us.stock.local", "america", "pallets"
    dates = staticmethod(every("2026-03-02T15:40", weekdays="01234"))


FAMILIES = (StockEurope, StockAmerica)
