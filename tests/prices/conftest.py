import pytest

from cockpit.prices.book import Book


@pytest.fixture(scope="session")
def book() -> Book:
    return Book.load()
