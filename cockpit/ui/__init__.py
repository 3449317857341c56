"""The Textual screens: they draw snapshots and send commands, and own no facts."""
