"""Repeated agent tasks become verified deterministic scripts."""
