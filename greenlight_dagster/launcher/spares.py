"""Templates and the idle workers that were forked from them: enough of them, of the right code, rehearsed."""

from __future__ import annotations

import asyncio
import itertools
import logging
import os
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping

from greenlight_dagster.launcher.config import LauncherConfig
from greenlight_dagster.launcher.messages import Code, Message
from greenlight_dagster.launcher.runs import Worker
from greenlight_dagster.launcher.tasks import Tasks
from greenlight_dagster.launcher.templates import Template
from studio.backoff import Backoff

log = logging.getLogger("greenlight.launcher")

Key = tuple[str, str, str]

# A spare is not replaced in the very moment in which its run begins: on two cores they would be in each other's way.
REPLENISH_SECONDS = 0.03
RELOAD_SECONDS = (0.5, 30.0)
# A template that has lived for this long has recovered; its next death is a new story.
STABLE_SECONDS = 60.0
# Workers that end as soon as they are forked must not have the next ones forked in a busy loop.
FORK_PAUSE_SECONDS = 1.0


class Spares:
    """One template per code, and its idle workers. `changed` is called when a worker may have become available.

    `wanted` says how many workers are needed at once, by code.
    """

    def __init__(
        self,
        config: LauncherConfig,
        *,
        changed: Callable[[], None],
        wanted: Callable[[], Counter[Key]],
    ) -> None:
        self._config = config
        self._changed = changed
        self._wanted = wanted
        self._templates: dict[Key, Template] = {}
        # Every template whose process may still live, the retired and the coming among them.
        self._idle: dict[Template, deque[Worker]] = {}
        self._versions: dict[Key, set[str]] = {}
        self._backoffs: defaultdict[Key, Backoff] = defaultdict(lambda: Backoff(*RELOAD_SECONDS))
        # Unlike those of an earlier server, whose workers may still knock.
        self._numbers = itertools.count(os.getpid() * 1000)
        self._tasks = Tasks()

    def idle(self) -> list[Worker]:
        """Return the idle workers."""
        return [worker for workers in self._idle.values() for worker in workers]

    def overview(self) -> list[Message]:
        """Return the templates, for operators."""
        return [
            {
                "pid": template.pid,
                "location": template.code.location,
                "loaded": template.ready,
                "forking": template.forking,
            }
            for template in self._idle
        ]

    # --- workers

    def known(self, number: int) -> Template | None:
        """Return the template `number` if its workers are welcome."""
        template = next((known for known in self._idle if known.number == number), None)
        return None if template is None or template.retired or template.process_ended else template

    def arrive(self, worker: Worker) -> None:
        """Take a worker in that has connected."""
        worker.template.arrived(worker.pid)
        self._idle[worker.template].append(worker)

    def part(self, worker: Worker) -> None:
        """Forget a worker that is gone."""
        workers = self._idle.get(worker.template, deque())
        if worker in workers:
            workers.remove(worker)

    def take(self, code: Code, *, urgent: bool) -> Worker | None:
        """Take an idle worker for `code`, rather one that has rehearsed; None where there is none.

        The last one is left for what is urgent, where there are to be several.
        """
        template = self._templates.get(code.key)
        workers = self._idle.get(template, deque()) if template else deque[Worker]()
        if len(workers) == 1 and not urgent and self._config.spares > 1:
            return None
        # One that is just rehearsing would begin only when it is through.
        worker = min(workers, key=lambda worker: (worker.rehearses, not worker.rehearsed), default=None)
        if worker is not None:
            workers.remove(worker)
        return worker

    def rehearse_one(self) -> bool:
        """Let one idle worker rehearse that has not; return whether there was one."""
        for worker in self.idle():
            if not (worker.rehearsed or worker.rehearses):
                worker.rehearses = True
                worker.tell({"rehearse": True})
                return True
        return False

    def replenish(self, *, now: bool = False) -> None:
        """Have as many workers forked as are wanted at once; those beyond that a moment later, or `now`."""
        wanted, spares = self._wanted(), self._config.spares
        later = False
        for key, template in self._templates.items():
            if not template.ready or template.retired:
                continue
            missing = wanted[key] + spares - len(self._idle[template]) - template.forking
            # What waits for a worker, and the first spare of none, is worth the disturbance.
            at_once = now or missing >= spares
            if missing > 0 and at_once:
                template.fork(missing)
            later |= missing > 0 and not at_once
        if later:
            self._tasks.spawn(self._replenish_later())

    async def _replenish_later(self, seconds: float = REPLENISH_SECONDS) -> None:
        await asyncio.sleep(seconds)
        self.replenish(now=True)

    # --- templates

    def template_for(self, code: Code, environment: Mapping[str, str]) -> Template:
        """Return the template for `code`; load it where it is not, or where the code location was reloaded since.

        It is loaded with `environment`: that of the client who asks for it first.
        """
        template = self._templates.get(code.key)
        versions = self._versions.setdefault(code.key, set())
        known = code.version is None or code.version in versions
        if code.version is not None:
            versions.add(code.version)
        if template is not None and known and template.error is None and not template.process_ended:
            return template
        log.info("loading the code of %s", code.location)
        return self._load(code, environment)

    def _load(self, code: Code, environment: Mapping[str, str]) -> Template:
        """Load `code` in a template that takes the place of the former one at once."""
        if (before := self._templates.get(code.key)) is not None:
            self._retire(before)
        template = self._templates[code.key] = self._begin(code, environment)
        return template

    def _begin(self, code: Code, environment: Mapping[str, str]) -> Template:
        template = Template(next(self._numbers), code, environment, self._config)
        self._idle[template] = deque()
        self._tasks.spawn(self._keep(template))
        return template

    def _is_current(self, template: Template) -> bool:
        return self._templates.get(template.code.key) is template

    async def _keep(self, template: Template) -> None:
        """Stay with a template from its start to its end."""
        await template.start()
        began = asyncio.get_running_loop().time()
        if template.error is None and self._is_current(template):
            self._changed()
        successor: Template | None = None
        async for has_grown in template.listen():
            if template.failed_forks:
                # A worker that ended before it could be given anything, or never came to be.
                self._tasks.spawn(self._replenish_later(FORK_PAUSE_SECONDS))
                template.failed_forks = 0
            if has_grown and self._is_current(template) and successor is None:
                log.info("template %s has outgrown its memory and is replaced", template.pid)
                successor = self._begin(template.code, template.environment)
                self._tasks.spawn(self._hand_over(template, successor))
        self._dismiss(template)
        self._idle.pop(template, None)
        if asyncio.get_running_loop().time() - began > STABLE_SECONDS:
            self._backoffs[template.code.key].reset()
        if self._is_current(template):
            await self._load_again(template)

    async def _hand_over(self, template: Template, successor: Template) -> None:
        """Let `successor` take the place of `template` once it has loaded the code, if that place is still there."""
        await successor.loaded.wait()
        if successor.error is None and self._is_current(template):
            self._templates[template.code.key] = successor
            self._retire(template)
            self._changed()
        else:
            self._retire(successor)

    async def _load_again(self, ended: Template) -> None:
        """Replace a template that died or could not load its code, later each time."""
        key = ended.code.key
        log.warning("template %s of %s has ended", ended.pid, ended.code.location)
        await asyncio.sleep(self._backoffs[key].pause())
        # Code that cannot be loaded is tried again by the next launch, unless something waits for it already.
        if self._is_current(ended) and (ended.error is None or self._wanted()[key]):
            self._load(ended.code, ended.environment)

    def _retire(self, template: Template) -> None:
        self._dismiss(template)
        template.retire()

    def _dismiss(self, template: Template) -> None:
        for worker in self._idle.get(template, ()):
            worker.tell({"dismiss": True})
        self._idle.get(template, deque()).clear()

    async def close(self) -> None:
        """Send the idle workers home; the templates follow when they hear nobody any more."""
        # So that none of them is replaced.
        self._templates.clear()
        for template in list(self._idle):
            self._retire(template)
            await template.drain()
        self._tasks.cancel()
