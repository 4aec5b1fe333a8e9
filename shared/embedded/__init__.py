"""Kafka, PostgreSQL and all services on one machine without Docker; see README.md."""
