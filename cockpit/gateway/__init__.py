"""The only door to a model: admits, holds, forwards, meters and refuses the calls of governed runs."""
