"""Runs coarse jobs, each in a child process: analysis never blocks a page or a chat."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from core.clock import Clock
from core.errors import LeaseLost
from core.log import get_logger
from core.model import system
from storage import jobs, schedules
from storage.database import Connection, Database
from storage.jobs import Job
from storage.lease import new_holder

log = get_logger("runner")
RUNNER = system("runner")
POLL_SECONDS = 1.0
ERROR_CHARACTERS = 2000


class JobRunner:
    """Takes one job after the other; a job of a dead runner is taken up again."""

    def __init__(
        self, database: Database, clock: Clock, config: Path, lease_seconds: float
    ) -> None:
        self._database = database
        self._clock = clock
        self._config = config
        self._lease_seconds = lease_seconds
        self._worker = new_holder()
        self._stopping = asyncio.Event()
        self._child: asyncio.subprocess.Process | None = None

    def stop(self) -> None:
        """End the job under way; another runner takes it up."""
        self._stopping.set()
        if self._child is not None:
            _end(self._child)

    async def run_for_ever(self) -> None:
        """Work until `stop`."""
        while not self._stopping.is_set():
            try:
                worked = await self.step()
            except Exception:  # the runner outlives one bad job
                log.exception("job_failed")
                worked = False
            if not worked:
                await self._clock.sleep(POLL_SECONDS)

    async def step(self) -> bool:
        """Take and run one job; False where none waits."""
        now = self._clock.now()

        def take(connection: Connection) -> Job | None:
            for lost in jobs.give_up(connection, now):
                _end_occurrence(connection, lost, now, jobs.GIVEN_UP)
            return jobs.claim(connection, self._worker, now, self._lease_seconds)

        job = await self._database.write(RUNNER, take)
        if job is None:
            return False
        log.info("job_begun", job=job.id, kind=job.kind)
        error = await self._run(job)
        if self._stopping.is_set() and error is not None:
            await self._database.write(RUNNER, lambda c: jobs.put_back(c, job))
            return True
        await self._finish(job, error)
        return True

    async def _run(self, job: Job) -> str | None:
        """None where the child ended well, else the end of what it said."""
        if job.kind not in COMMANDS:
            return f"unknown job kind: {job.kind}"
        self._child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "app.cli",
            *COMMANDS[job.kind](job.payload),
            env={**os.environ, "RAPPORT_CONFIG": str(self._config)},
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        if self._stopping.is_set():  # it was told while the child was being made
            _end(self._child)
        try:
            said = await self._listen(job, self._child)
        finally:
            # Whatever ended the waiting, no child works on without its runner.
            _end(self._child)
        if self._child.returncode == 0:
            return None
        log.warning("job_ended_badly", job=job.id, code=self._child.returncode)
        tail = said[-ERROR_CHARACTERS:].strip()
        return tail or f"ended with code {self._child.returncode}"

    async def _listen(self, job: Job, child: asyncio.subprocess.Process) -> str:
        """All that the child says; meanwhile the job stays ours, or the child ends."""
        talking = asyncio.ensure_future(child.communicate())
        while not talking.done():
            await asyncio.wait({talking}, timeout=self._lease_seconds / 3)
            if self._stopping.is_set() or not await self._keep(job):
                _end(child)
        _, said = talking.result()
        return said.decode(errors="replace")

    async def _keep(self, job: Job) -> bool:
        now = self._clock.now()
        try:
            await self._database.write(
                RUNNER, lambda c: jobs.renew(c, job, now, self._lease_seconds)
            )
        except LeaseLost:
            return False
        return True

    async def _finish(self, job: Job, error: str | None) -> None:
        now = self._clock.now()

        def work(connection: Connection) -> None:
            jobs.finish(connection, job, now, error)
            _end_occurrence(connection, job, now, error)

        try:
            await self._database.write(RUNNER, work)
        except LeaseLost:
            log.warning("job_taken_over", job=job.id)


def _end(child: asyncio.subprocess.Process) -> None:
    if child.returncode is None:
        with suppress(ProcessLookupError):
            child.terminate()


def _end_occurrence(
    connection: Connection, job: Job, now: datetime, error: str | None
) -> None:
    if occurrence_id := job.payload.get("occurrence_id"):
        schedules.finish(connection, occurrence_id, now, error)


def _pass(payload: dict[str, Any]) -> list[str]:
    """The command line of a pass of the pipeline; the serving process sends."""
    arguments = ["run", "--no-send"]
    for key in payload["campaigns"]:
        arguments += ["--campaign", key]
    if not payload["campaigns"]:
        arguments.append("--no-campaigns")
    if scheduled_for := payload.get("scheduled_for"):
        arguments += ["--scheduled-for", scheduled_for]
    return arguments


def _pull(payload: dict[str, Any]) -> list[str]:
    return ["sources", "pull", payload["source"]]


COMMANDS: dict[str, Callable[[dict[str, Any]], list[str]]] = {
    "pipeline": _pass,
    "source": _pull,
}
