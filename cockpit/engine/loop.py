"""A loop for a process that must be small: descriptors, timers, nothing else."""

import contextlib
import selectors
import time
from collections.abc import Callable

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE

Step = Callable[[], None]


class Loop:
    """Calls steps when descriptors are ready or moments come. Steps never block."""

    def __init__(self, selector: selectors.BaseSelector | None = None) -> None:
        """The best selector of the system refuses regular files: where they may come, give another."""
        self._selector = selector or selectors.DefaultSelector()
        self._timers: dict[str, tuple[float, Step]] = {}

    def on(self, descriptor: int, event: int, step: Step) -> None:
        """From now on `step` is called whenever the descriptor is ready for `event`."""
        key = self._key(descriptor)
        if key is None:
            self._selector.register(descriptor, event, {event: step})
        elif event not in key.data:
            key.data[event] = step
            self._selector.modify(descriptor, key.events | event, key.data)

    def off(self, descriptor: int, event: int) -> None:
        """Takes `on` back."""
        key = self._key(descriptor)
        if key is None or key.data.pop(event, None) is None:
            return
        if key.data:
            self._selector.modify(descriptor, key.events & ~event, key.data)
        else:
            self._selector.unregister(descriptor)

    def forget(self, descriptor: int) -> None:
        """Call before a descriptor is closed."""
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(descriptor)

    def at(self, name: str, seconds: float, step: Step) -> None:
        """Calls `step` once, in so many seconds; a timer of that name is replaced."""
        self._timers[name] = (time.monotonic() + seconds, step)

    def cancel(self, name: str) -> None:
        """There will be no such moment."""
        self._timers.pop(name, None)

    def waits(self, name: str) -> bool:
        """Whether such a moment is still to come."""
        return name in self._timers

    def turn(self) -> None:
        """Waits for the next thing and does it."""
        for key, mask in self._selector.select(self._patience()):
            for event in (READ, WRITE):
                if mask & event and self._is_still(key) and event in key.data:
                    key.data[event]()
        self._do_what_is_due()

    def _key(self, descriptor: int) -> "selectors.SelectorKey | None":
        return self._selector.get_map().get(descriptor)

    def _is_still(self, key: selectors.SelectorKey) -> bool:
        now = self._key(key.fd)
        return now is not None and now.data is key.data

    def _patience(self) -> float | None:
        now = time.monotonic()
        moments = [moment for moment, _ in self._timers.values()]
        return max(0.0, min(moments) - now) if moments else None

    def _do_what_is_due(self) -> None:
        now = time.monotonic()
        for name, timer in list(self._timers.items()):
            if timer[0] <= now and self._timers.get(name) is timer:
                del self._timers[name]
                timer[1]()
