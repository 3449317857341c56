"""cockpit: one screen, one clock and one stop key for every AI agent on the machine."""

__version__ = "0.1.0"
