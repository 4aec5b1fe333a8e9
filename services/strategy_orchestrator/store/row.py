"""A row as PostgreSQL gives it."""

import asyncpg

Row = asyncpg.Record
