"""Everything about the PostgreSQL server: connections, migrations, the embedded server."""
