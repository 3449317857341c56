"""A provider on loopback with honest prefix caches, and a small fleet of real agents that uses it.

Nothing here is painted: tokens are counted from the bytes sent, cache hits from what was sent
before and when, files and transcripts from what the agents did.
"""
