"""One benchmark per promise: `./run bench --list`, `./run bench NAME [options]`."""
