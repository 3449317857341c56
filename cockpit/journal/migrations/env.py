"""Alembic's environment: the connection comes from `cockpit.journal.store.migrate`."""

from alembic import context

from cockpit.journal.store import tables

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=tables, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
