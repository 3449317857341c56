"""Vendor dialects of the wire: what a request asks for, what an answer cost, how a refusal is said."""
