"""What a running command is given: settings, platform, ledger and screen, each opened when first used."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Literal

from harpoon_cli.cli.options import CommonOptions
from harpoon_cli.domain import LeaseRecord, Receipt, Reference, Secret, Step
from harpoon_cli.errors import ConfigurationFault, StorageFault
from harpoon_cli.render import formats
from harpoon_cli.render.screen import Screen
from harpoon_cli.render.terminal import Terminal
from harpoon_cli.settings.paths import cache_dir, make_private, state_dir

if TYPE_CHECKING:
    from harpoon_cli.catalogue import Catalogue
    from harpoon_cli.cli.keeping import Keeping
    from harpoon_cli.client.service import DataPlane, Platform
    from harpoon_cli.client.transport import Exchange
    from harpoon_cli.leases.alive import SignOfLife
    from harpoon_cli.leases.ledger import Ledger
    from harpoon_cli.leases.lifecycle import Lifecycle
    from harpoon_cli.render.outcome import Outcome
    from harpoon_cli.settings.endpoint import Endpoint
    from harpoon_cli.settings.load import Loaded
    from harpoon_cli.settings.model import Settings


TRACE = "leased"
"""The file in the cache's directory that outlives the loss of the whole state directory."""


def _trace() -> Path | None:
    """Where the trace is; None on a machine that has no place for it."""
    with suppress(ConfigurationFault):
        return cache_dir() / TRACE
    return None


class Session:
    """One command's surroundings.

    Notes, the receipt and what there is so far of the outcome survive an error, and are printed with it.
    answer_began says that a part of an answer has been shown.
    `where` is the endpoint of `platform`, once that was asked for.
    """

    def __init__(self, command: str, options: CommonOptions, screen: Screen, loaded: Loaded | None) -> None:
        self.command = command
        self.options = options
        self.screen = screen
        self.endpoint_name: str | None = None
        self.where: Endpoint | None = None
        self._account: str | None = None
        self.steps: list[Step] = []
        self.receipt: Receipt | None = None
        self.so_far: Outcome | None = None
        self.exchanges: list[Exchange] = []
        self._loaded = loaded
        self._platform: Platform | None = None
        self._sign: SignOfLife | None = None
        self._keeping: Keeping | None = None
        self.keeps: Reference | None = None
        self._leases = False
        self.answer_began = False
        self._planes: dict[str, DataPlane] = {}
        self._closings: list[Callable[[], Awaitable[None]]] = []

    @cached_property
    def loaded(self) -> Loaded:
        """The settings and where each came from; `ConfigurationFault` where they cannot be used."""
        return self._loaded if self._loaded is not None else load_settings(self.options)

    @property
    def settings(self) -> Settings:
        return self.loaded.settings

    @cached_property
    def catalogue(self) -> Catalogue:
        from harpoon_cli.catalogue import BUILT_IN, merge
        from harpoon_cli.settings.show import model_entries

        return merge(BUILT_IN, model_entries(self.loaded))

    @cached_property
    def ledger(self) -> Ledger:
        """What was written down of our leases; `StorageFault` where it cannot be opened."""
        from harpoon_cli.leases.ledger import Ledger

        ledger = Ledger(make_private(state_dir()) / "ledger.db", trace=_trace())
        if ledger.ruined is not None:
            self.screen.warn(
                f"the ledger was ruined, and lies at {ledger.ruined} now; "
                "harpoon release --overdue looks for what it had written down"
            )
        return ledger

    def platform(self) -> Platform:
        """The configured platform, or the sandbox where nothing is configured at all, which is said."""
        if self._platform is None:
            self._platform = self._connect()
        return self._platform

    @property
    def endpoint_told(self) -> str | None:
        """What an envelope says: the platform that was met, or the one that the settings mean.

        None where the settings are not read, or are half a configuration.
        """
        if self.endpoint_name is not None or self._loaded is None:
            return self.endpoint_name
        from harpoon_cli.cli.connect import SANDBOX
        from harpoon_cli.settings.secrets import key_place

        platform = self._loaded.settings.platform
        nothing = SANDBOX if key_place(self._loaded) is None else None
        return platform.base_url or platform.inference_url or nothing

    @property
    def account(self) -> str:
        """How the ledger names the platform and who we are there."""
        self.platform()
        assert self._account is not None, "a platform has a name"
        return self._account

    def plane_of(self, model: str) -> DataPlane:
        """Where a model answers without a lease: its own endpoint, or the platform's."""
        from harpoon_cli.cli.connect import connect_model
        from harpoon_cli.cli.endpoints import own_url
        from harpoon_cli.settings.endpoint import LiveEndpoint

        platform, url = self.platform(), own_url(self.settings, model)
        if url is None or not isinstance(self.where, LiveEndpoint):
            return platform.inference
        if url not in self._planes:
            source = self.loaded.origins.get(f"models.{model}.inference_url")
            self.screen.note(f"prompts for {model} go to {url}" + (f", as {source} says" if source else ""))
            self._planes[url], closing = connect_model(self.settings, self.where, url, self._observe)
            self._closings.append(closing)
        return self._planes[url]

    def _connect(self) -> Platform:
        from harpoon_cli.cli import connect
        from harpoon_cli.settings.endpoint import LiveEndpoint, endpoint

        self.where = where = endpoint(self.loaded)
        if isinstance(where, LiveEndpoint):
            if where.key is not None:
                self.screen.hide(where.key)
            self.endpoint_name = where.base_url
            self._account = account_name(where.base_url, where.key)
            if where.from_directory:
                self.screen.note(f"prompts go to {where.inference_url}, as {where.url_origin} says")
            for url in where.readable_on_the_way:
                self.screen.detail(f"insecure_http: what is sent to {url} can be read on the way")
            return connect.connect_live(self.settings, where, self._observe, self.screen.detail)
        self.endpoint_name = self._account = connect.SANDBOX
        self.screen.note("no endpoint is configured: this is the embedded sandbox, not HostedAI")
        return connect.connect_sandbox(self.settings, sandbox_dir(), self._observe)

    def _observe(self, exchange: Exchange) -> None:
        self.exchanges.append(exchange)
        took_ms = (exchange.total_s or 0.0) * 1000
        connection = "" if exchange.reused else " on a new connection"
        self.screen.detail(
            f"{exchange.method} {exchange.path} -> {exchange.status or 'no answer'} "
            f"in {took_ms:.1f} ms{connection}",
            level=2,
        )

    def ledger_at_best(self) -> Ledger:
        """The ledger, or one that fails in all that is asked of it: what must end does so without one."""
        from harpoon_cli.leases.unrecorded import UnusableLedger

        try:
            return self.ledger
        except StorageFault as fault:
            return UnusableLedger(state_dir() / "ledger.db", fault)

    def lifecycle(self, *, ready_s: float | None = None, ledger: Ledger | None = None) -> Lifecycle:
        """The life of leases on the configured platform, in the shared ledger, or in the one given."""
        from harpoon_cli.cli.connect import retry_policy
        from harpoon_cli.leases.lifecycle import Lifecycle
        from harpoon_cli.leases.owner import current_owner
        from harpoon_cli.leases.patience import Patience

        platform = self.platform()
        self._leases = True
        return Lifecycle(
            control=platform.control,
            ledger=ledger or self.ledger,
            endpoint=self.account,
            owner=current_owner(os.environ, state_dir()),
            holder=self._holder,
            patience=Patience(
                allocate_s=self.settings.http.control_s,
                ready_s=ready_s or self.settings.lease.ready_s,
                release_s=self.settings.lease.release_s,
                poll_s=self.settings.lease.poll_s,
            ),
            retry=retry_policy(self.settings),
        )

    def _holder(self) -> str:
        """This process's sign of life, and its keeper: both are there before a lease is asked for.

        A release has none: a keeper would only begin it again.
        """
        from harpoon_cli.leases.alive import SignOfLife

        if self._sign is None:
            self._sign = SignOfLife(self.signs_of_life)
            self._leave_trace()
            if self.command != "release":
                self._keeping = self._keep_watch()
        return self._sign.name

    def _leave_trace(self) -> None:
        """Tell, outside of the directory with all the rest, that leases are asked for here."""
        from harpoon_cli.cli.connect import SANDBOX

        trace = _trace()
        if trace is not None and self.account != SANDBOX:
            with suppress(OSError, StorageFault):  # it only helps where all else is lost
                make_private(trace.parent)
                trace.touch(0o600)

    def _keep_watch(self) -> Keeping:
        from harpoon_cli.cli.connect import SANDBOX
        from harpoon_cli.cli.keeping import Keeping

        features = self.platform().control.features
        screen = self.screen
        return Keeping(self.options, features, screen.note, screen.warn, live=self.account != SANDBOX)

    @property
    def signs_of_life(self) -> Path:
        from harpoon_cli.leases.alive import SIGNS

        return make_private(state_dir()) / SIGNS

    def may_hold_a_lease(self) -> bool:
        """Does this command take or end leases?"""
        return self._leases

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Show a step of the work, and time it for the receipt, failed or not."""
        began = monotonic()
        try:
            with self.screen.step(name):
                yield
        finally:
            self.steps.append(Step(name, monotonic() - began))

    async def close(self) -> None:
        """The work is done, and its result not told yet: what is still open is handed to the keeper."""
        if self._sign is not None and self._keeping is not None:
            self._keeping.take_over(self._still_open(self._sign), self.keeps)
        for closing in self._closings:
            await closing()
        if self._platform is not None:
            await self._platform.close()

    def _still_open(self, sign: SignOfLife) -> list[LeaseRecord] | None:
        """Our records that are not over; None where the ledger cannot say."""
        with suppress(StorageFault):
            records = self.ledger.open_records()
            return [one for one in records if self.ledger.holder(one.reference) == sign.name]
        return None

    def let_go(self, *, told: bool) -> bool:
        """The command is over. A lease that is to be kept outlives it only if its result was told.

        False where it was, but that cannot be written down: then it is given back in the background too.
        """
        if self._sign is None:
            return True
        kept = self.keeps is None
        if told and self.keeps is not None:
            with suppress(StorageFault):
                kept = self.ledger.keep(self.keeps)
        self._sign.close()
        if self._keeping is not None:
            self._keeping.end(well=kept)
        return kept or not told


def sandbox_dir() -> Path:
    """Where the embedded platform keeps its state."""
    return make_private(state_dir()) / "sandbox"


def account_name(base_url: str, key: Secret | None) -> str:
    """A URL and a mark of the key: with another key the same URL may be another team's account.

    "Not found" there proves nothing about our leases here. The mark is 32 bits of a hash, and tells nothing.
    """
    if key is None:
        return base_url
    mark = sha256(f"harpoon account {key.reveal()}".encode()).hexdigest()[:8]
    return f"{base_url} (key {mark})"


def load_settings(options: CommonOptions) -> Loaded:
    from harpoon_cli.settings.load import load

    return load(
        flags=options.flags(),
        config=options.config,
        profile=options.profile,
        environ=os.environ,
        cwd=working_directory(),
    )


def working_directory() -> Path:
    """Where we are; `ConfigurationFault` where that has been deleted under us."""
    try:
        return Path.cwd()
    except OSError as cause:
        raise ConfigurationFault(
            "the working directory is gone", hint="change to one that exists: cd"
        ) from cause


def open_session(command: str, options: CommonOptions, *, needs_settings: bool) -> Session:
    """A session whose screen looks as the settings say; without settings, as the flags say."""
    if not needs_settings:
        return Session(command, options, screen_of(options), None)
    loaded = load_settings(options)
    output = loaded.settings.output
    screen = _screen(output.format, output.color, accessible=output.accessible, verbosity=output.verbosity)
    return Session(command, options, screen, loaded)


def screen_of(options: CommonOptions) -> Screen:
    """A screen by the flags alone: for an error that comes before the settings, or is one of theirs."""
    asked = options.output or ("ids" if options.quiet else "auto")
    return _screen(
        asked if asked in formats.names() else "auto",
        "never" if options.no_color else "auto",
        accessible=options.accessible,
        verbosity=-1 if options.quiet else options.verbose,
    )


def _screen(
    output: str, color: Literal["auto", "always", "never"], *, accessible: bool, verbosity: int
) -> Screen:
    terminal = Terminal.detect(
        os.environ, sys.stdin, sys.stdout, sys.stderr, color=color, accessible=accessible
    )
    return Screen(
        terminal,
        stdout=sys.stdout,
        stderr=sys.stderr,
        output=output,
        quiet=verbosity < 0,
        verbosity=max(verbosity, 0),
    )
