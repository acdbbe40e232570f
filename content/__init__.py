"""Texts and campaigns as data: parsing, the template sandbox, lint and rendering."""
