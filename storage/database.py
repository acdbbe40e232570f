"""The two doors: `read` and `write`, each taking a function of a connection.

On SQLite a read runs where it is called (a thread would cost three times more) and
all writes go to one writer thread, which runs the waiting calls in savepoints and
commits them together: one fsync for all. On PostgreSQL both run in threads.
A function given to a door does no other I/O and may be run again.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

# Work of other folders names the type without knowing where it comes from.
from sqlalchemy import Connection as Connection  # noqa: PLC0414  said on purpose
from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from core.errors import Problem, RapportError
from core.log import get_logger
from core.model import Actor
from storage import dialect

T = TypeVar("T")
Work = Callable[[Connection], T]

log = get_logger("storage")

# One commit takes at most so many calls, so that a burst does not hold the lock.
CALLS_PER_COMMIT = 256
WRITE_PATIENCE_SECONDS = 60.0
RETRIES = 5
NESTED = "a write inside a write would wait for itself"
THREADS = 8


class DatabaseBusy(RapportError):
    """Another process kept the database locked for too long."""


class DiskFull(RapportError):
    """The database has no room for more; what was committed before stays."""


class DatabaseCorrupt(RapportError):
    """SQLite finds the file damaged."""


def corrupt(file: Path | None, found: str) -> DatabaseCorrupt:
    """The error for a damaged file, with the way out."""
    return DatabaseCorrupt(
        Problem(
            "the database file is damaged",
            found,
            file=file,
            hint="Bring back the newest backup: rapport restore FILE",
        )
    )


class Database:
    """An open database; close it, or use it as a context manager."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._commit_listeners: list[Callable[[], None]] = []
        self._executor: ThreadPoolExecutor | None = None
        self._writer: _Writer | None = None
        # What a thread is doing: one that writes must not begin a second write.
        self._inside = threading.local()
        self.file = dialect.sqlite_file(url)
        if self.file is not None:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            # The writer connects first: it is the one that may create the file.
            self.write_engine = dialect.sqlite_engine(self.file, writer=True)
            _connect_once(self.write_engine, self.file)
            self.read_engine = dialect.sqlite_engine(self.file, writer=False)
            self._writer = _Writer(self.write_engine, self._committed)
        else:
            self.write_engine = dialect.postgresql_engine(url)
            # As on SQLite, a read sees one moment and changes nothing.
            self.read_engine = self.write_engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._executor = ThreadPoolExecutor(THREADS, thread_name_prefix="database")

    @property
    def is_sqlite(self) -> bool:
        return self.file is not None

    def on_commit(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener` after every commit of ours, in any thread.

        Returns the function that ends this.
        """
        self._commit_listeners.append(listener)
        return lambda: self._commit_listeners.remove(listener)

    async def read(self, work: Work[T]) -> T:
        """The result of `work` on a connection that sees one moment of the data."""
        if self._executor is None:
            return self.read_now(work)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.read_now, work)

    async def write(self, actor: Actor, work: Work[T]) -> T:
        """The result of `work`, once it is committed; nothing stays if it raises."""
        if self._executor is None:
            return await asyncio.wrap_future(self._submit(actor, work))
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._executor, self.write_now, actor, work)

    def read_now(self, work: Work[T]) -> T:
        """`read` for code outside an event loop."""
        with self.read_engine.connect() as connection, connection.begin():
            return work(connection)

    def write_now(self, actor: Actor, work: Work[T]) -> T:
        """`write` for code outside an event loop."""
        if self._writer is not None:
            return self._submit(actor, work).result()
        result = _with_retries(lambda: self._write_once(actor, work))
        self._committed()
        return result

    def close(self) -> None:
        """Finish the waiting writes and let go of every connection."""
        if self._writer is not None:
            self._writer.close()
        if self._executor is not None:
            self._executor.shutdown()
        self.read_engine.dispose()
        self.write_engine.dispose()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _submit(self, actor: Actor, work: Work[T]) -> Future[T]:
        if self._writer is None:
            message = "only SQLite has a writer thread"
            raise RuntimeError(message)
        return self._writer.submit(actor, work)

    def _write_once(self, actor: Actor, work: Work[T]) -> T:
        if getattr(self._inside, "write", False):
            raise RuntimeError(NESTED)
        self._inside.write = True
        try:
            with self.write_engine.connect() as connection:
                connection.execution_options(actor=str(actor))
                with connection.begin():
                    return work(connection)
        except OperationalError as error:
            told = _told(error, self.write_engine)
            if told is error:
                raise
            raise told from error
        finally:
            self._inside.write = False

    def _committed(self) -> None:
        for listener in list(self._commit_listeners):
            listener()


def actor_of(connection: Connection) -> str:
    """Who makes the change on this connection; every write door names one."""
    return str(connection.get_execution_options()["actor"])


def open_database(url: str, base: Path | None = None) -> Database:
    """The database of a settings URL; a relative SQLite path starts at `base`."""
    file = dialect.sqlite_file(url)
    if file is not None and not file.is_absolute():
        absolute = (base or Path.cwd()) / file
        url = str(make_url(url).set(database=str(absolute)))
    return Database(url)


def _with_retries(attempt: Callable[[], T]) -> T:
    """Run again what another transaction or a lost connection broke."""
    for remaining in range(RETRIES - 1, -1, -1):
        try:
            return attempt()
        except DBAPIError as error:
            if remaining == 0 or not _is_passing(error):
                raise
            time.sleep(0.05 * (RETRIES - remaining))
    message = "unreachable"
    raise AssertionError(message)


def _is_passing(error: DBAPIError) -> bool:
    # 40001 serialization failure and 40P01 deadlock are PostgreSQL's "try again".
    state = getattr(error.orig, "sqlstate", None)
    return error.connection_invalidated or state in {"40001", "40P01"}


class _Call:
    """One write that waits for the writer."""

    def __init__(self, actor: Actor, work: Work[Any]) -> None:
        self.actor = actor
        self.work = work
        self.done: Future[Any] = Future()


class _Writer:
    """The one thread that writes to a SQLite file."""

    def __init__(self, engine: Engine, committed: Callable[[], None]) -> None:
        self._engine = engine
        self._committed = committed
        self._calls: queue.SimpleQueue[_Call | None] = queue.SimpleQueue()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="writer", daemon=True)
        self._thread.start()

    def submit(self, actor: Actor, work: Work[T]) -> Future[T]:
        if self._closed:
            message = "the database is closed"
            raise RuntimeError(message)
        if threading.current_thread() is self._thread:
            raise RuntimeError(NESTED)
        call = _Call(actor, work)
        self._calls.put(call)
        return call.done

    def close(self) -> None:
        if not self._closed:
            self._closed = True
            self._calls.put(None)
            self._thread.join()

    def _run(self) -> None:
        while (first := self._calls.get()) is not None:
            batch = [first]
            ended = False
            while len(batch) < CALLS_PER_COMMIT and not self._calls.empty():
                call = self._calls.get()
                if call is None:
                    ended = True
                    break
                batch.append(call)
            self._commit(batch)
            if ended:
                return

    def _commit(self, batch: list[_Call]) -> None:
        batch = [call for call in batch if call.done.set_running_or_notify_cancel()]
        if not batch:
            return
        try:
            results = self._transact(batch)
        except BaseException as error:  # noqa: BLE001  the callers get it, the thread lives on
            for call in batch:
                call.done.set_exception(_told(error, self._engine))
            return
        self._committed()
        for call, (result, failure) in zip(batch, results, strict=True):
            if failure is None:
                call.done.set_result(result)
            else:
                call.done.set_exception(_told(failure, self._engine))

    def _transact(self, batch: list[_Call]) -> list[tuple[Any, BaseException | None]]:
        patience_ends = time.monotonic() + WRITE_PATIENCE_SECONDS
        while True:
            try:
                with self._engine.connect() as connection, connection.begin():
                    return [_in_savepoint(connection, call) for call in batch]
            except OperationalError as error:
                if not _is_locked(error):
                    raise
                if time.monotonic() > patience_ends:
                    raise DatabaseBusy(_busy_problem(self._engine)) from error
                log.warning("database_locked")


def _in_savepoint(
    connection: Connection, call: _Call
) -> tuple[Any, BaseException | None]:
    connection.execution_options(actor=str(call.actor))
    savepoint = connection.begin_nested()
    try:
        result = call.work(connection)
    except OperationalError as error:
        # A failing disk or a lock concerns the whole transaction, not one call.
        if _is_locked(error) or not savepoint.is_active:
            raise
        savepoint.rollback()
        return None, error
    except Exception as error:  # noqa: BLE001  it belongs to the caller of this write
        savepoint.rollback()
        return None, error
    savepoint.commit()
    return result, None


def _connect_once(engine: Engine, file: Path) -> None:
    try:
        engine.connect().close()
    except DatabaseError as error:
        engine.dispose()
        if sqlite_code(error) in dialect.SQLITE_CORRUPT_CODES:
            raise corrupt(file, str(error.orig)) from error
        raise


def sqlite_code(error: DBAPIError) -> int | None:
    """SQLite's own number for what went wrong, without its details."""
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else int(code) & 0xFF


def _told(error: BaseException, engine: Engine) -> BaseException:
    """The error in words, where a person can mend it: make room on the disk."""
    if not isinstance(error, OperationalError):
        return error
    full = sqlite_code(error) in dialect.SQLITE_FULL_CODES or (
        getattr(error.orig, "sqlstate", None) == dialect.POSTGRESQL_DISK_FULL
    )
    if not full:
        return error
    told = DiskFull(
        Problem(
            "the database can't be written: no room on the disk, or the disk fails",
            str(error.orig),
            file=engine.url.database,
            hint="Make room, then run the same command again; it goes on.",
        )
    )
    told.__cause__ = error
    return told


def _is_locked(error: OperationalError) -> bool:
    # A word in the message is no sign: a column may be called `locked_until`.
    return sqlite_code(error) in dialect.SQLITE_LOCKED_CODES


def _busy_problem(engine: Engine) -> Problem:
    return Problem(
        f"the database stayed locked for {WRITE_PATIENCE_SECONDS:.0f} seconds",
        file=engine.url.database,
        hint="Another program holds it: end its transaction, then try again.",
    )
