"""The words that every part shares: settings, model, errors, clock. Imports nothing of ours."""
