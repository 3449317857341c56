"""Journals as earlier versions left them."""

from alembic import command
from alembic.config import Config

from cockpit.journal import store


def journal_of(path, revision, *statements):
    """Makes a journal of this revision and fills it."""
    engine = store.connect(path)
    config = Config()
    config.set_main_option("script_location", "cockpit/journal/migrations")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()
