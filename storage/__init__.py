"""The only folder that knows SQL: rows go in and out as plain values."""
