"""The HTTP edge: the console for staff, the web chat and the public pages."""
