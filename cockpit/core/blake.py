"""BLAKE2b by itself: `hashlib` has the same, but loads OpenSSL, 8 ms of every start."""

try:
    from _blake2 import blake2b as blake2b
except ImportError:
    from hashlib import blake2b as blake2b
