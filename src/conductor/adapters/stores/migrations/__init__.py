"""How the tables came to be, step by step, as alembic reads it. Shipped with the package; never edited once released."""
