"""Two tasks that look like one."""

import json

from tests.families.family import Family, every


class LogErrors(Family):
    """How many errors the shop had."""

    name = "log-errors"
    group = "alike"
    alike = "logs"
    folder = "logs"
    prompts = (
        "Count the errors of {date} in the shop log",
        "errors of the shop, {date}",
        "shop log, {date}: how many errors?",
    )
    log, level, words = "shop.log", "ERROR", "errors"

    def prepare(self, place, day, chance):
        for log in ("shop.log", "mail.log"):
            lines = [
                f"{day} {chance.choice(('INFO', 'ERROR', 'WARN', 'INFO'))} event {chance.randint(100, 999)}"
                for _ in range(chance.randint(25, 60))
            ]
            place.put(log, "\n".join(lines) + "\n")
        place.serve("http://deploys.local/today", {"deploys": chance.randint(11, 40)})

    def work(self, hands, day):
        count = int(
            hands.seek(f"grep -c {self.level} {self.log}", f"grep {self.level} {self.log} | wc -l")
        )
        deploys = json.loads(hands.get("http://deploys.local/today"))["deploys"]
        hands.write(f"counts/{self.words}-{day}.txt", f"{count} {self.words}, {deploys} deploys\n")


class LogWarnings(LogErrors):
    """How many warnings the mail server had."""

    name = "log-warnings"
    prompts = (
        "Count the warnings of {date} in the mail log",
        "warnings of the mail server, {date}",
        "mail log, {date}: how many warnings?",
    )
    log, level, words = "mail.log", "WARN", "warnings"
    dates = staticmethod(every("2026-03-02T11:00", weekdays="01234"))


FAMILIES = (LogErrors, LogWarnings)
