"""`python -m bench NAME [options]`; exit code 1 where a promise does not hold."""

from __future__ import annotations

import argparse
import importlib
import pkgutil
import sys
from types import ModuleType

import bench
from bench.contract import BenchmarkStopped, show
from core.errors import did_you_mean

PREFIX = "bench_"
EXIT_BROKEN, EXIT_STOPPED = 1, 2


def names() -> list[str]:
    """All benchmarks, in alphabetical order."""
    modules = (module.name for module in pkgutil.iter_modules(bench.__path__))
    return sorted(n.removeprefix(PREFIX) for n in modules if n.startswith(PREFIX))


def benchmark(name: str) -> ModuleType:
    """The module of one benchmark."""
    return importlib.import_module(f"bench.{PREFIX}{name}")


def main(arguments: list[str]) -> int:
    """Run the named benchmark, or list all; the exit code."""
    if not arguments or arguments[0] in {"--list", "-h", "--help"}:
        for name in names():
            summary = (benchmark(name).__doc__ or "").splitlines()[0]
            print(f"{name:12} {summary}")
        return 0
    name, *rest = arguments
    if name not in names():
        hint = did_you_mean(name, names()) or f"There are: {', '.join(names())}."
        print(f"no benchmark `{name}`. {hint}", file=sys.stderr)
        return EXIT_STOPPED
    return _run(name, rest)


def _run(name: str, arguments: list[str]) -> int:
    module = benchmark(name)
    parser = argparse.ArgumentParser(
        prog=f"./run bench {name}", description=module.__doc__
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    module.add_options(parser)
    options = parser.parse_args(arguments)
    try:
        promises = module.run(options)
    except BenchmarkStopped as reason:
        print(f"{name}: {reason}", file=sys.stderr)
        return EXIT_STOPPED
    show(promises, as_json=options.json)
    return 0 if all(promise.holds for promise in promises) else EXIT_BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
