"""A slow timer behind the gateway: what a governed run shows of it, from the wire alone."""

from cockpit.core.events import CallSettled
from cockpit.core.fleet import Fleet
from cockpit.core.fold import fold_all
from cockpit.core.forecast import NIGHT, cheapest, cures_of, forecast_of
from cockpit.core.tokens import NO_TOKENS
from cockpit.demo.cache import MINUTE
from cockpit.demo.provider import Provider
from cockpit.demo.scripts import HEADER
from tests.bench.fire import NEW, TODAY, Messages
from tests.gateway import line as lines

WAKES = 5
PREFIX = 100_000


class Clock:
    now = TODAY

    def __call__(self):
        return self.now


async def test_a_governed_run_in_the_fire_shows_the_night_and_the_cheapest_cure(
    tmp_path, monkeypatch
):
    clock = Clock()
    monkeypatch.setattr(lines, "now_ms", clock)
    line = lines.Line(tmp_path)
    line.demo = Provider(clock=clock)
    async with line, lines.client() as session:
        governed, talk = line.run(cap=100 * lines.NANO), Messages(PREFIX)
        for wake in range(WAKES):
            clock.now = TODAY + wake * 6 * MINUTE
            talk.said.append(talk.user(NEW))
            headers = {HEADER: "report"}
            async with lines.post(session, governed, talk.body("5m"), **headers) as answer:
                talk.heard(await answer.json())
            await line.until(CallSettled, wake + 1)
        served = line.demo.served()
    run = fold_all(Fleet(), line.events).runs[governed.run]
    assert run.tokens == sum((one.tokens for one in served), NO_TOKENS)
    assert run.misses.count == WAKES - 1
    night = forecast_of(run, clock.now)
    assert (night.every_ms, night.wakes, night.span_ms) == (6 * MINUTE, 80, NIGHT)
    assert 0.65 < night.miss / 10**9 < 0.67  # about 104,500 written, 300 answered
    assert night.nano > 5 * cheapest(cures_of(run)).nano
    assert cheapest(cures_of(run)).name == "long cache"
