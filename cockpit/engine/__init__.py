"""The background process: it watches, keeps the books, and stops what must stop."""
