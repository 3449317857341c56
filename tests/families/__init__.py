"""Worlds that repeat, and agents that really work in them: the fair test of the architect.

`development` may be looked at by whoever writes the compiler; `frozen` may not: it is only counted on.
"""
