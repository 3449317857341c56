"""Vendor dialects of the wire: what a request asks for, what an answer cost, how a refusal is said."""

from cockpit.gateway.wire.registry import DIALECTS, dialect_of

__all__ = ["DIALECTS", "dialect_of"]
