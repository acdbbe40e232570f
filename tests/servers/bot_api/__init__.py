"""A Bot API emulator on loopback: what Telegram would do, with a journal and faults."""
