"""Answering customers: understand, decide what to say, hand over to a person."""
