"""What a load test is aimed at: a server that was named, or the data plane of the configured platform."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.planning.mix import Part, part_of
from harpoon_cli.bench.planning.security import Security
from harpoon_cli.cli.bench.options import TargetOptions
from harpoon_cli.cli.options import given
from harpoon_cli.cli.session import Session
from harpoon_cli.client.connection import Endpoint, identity
from harpoon_cli.domain import LeaseId, Model, Prompt, Secret
from harpoon_cli.errors import UsageFault
from harpoon_cli.settings.endpoint import LiveEndpoint, normal_url
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.secrets import (
    key_in_file,
    key_in_keyring,
    key_in_variable,
    key_of_command,
)
from harpoon_cli.values import replace

if TYPE_CHECKING:
    from harpoon_cli.bench.planning.making import Route

EMBEDDED_DIALECT = "seed_v1"
"""What the embedded platform speaks; the only dialect whose requests name a lease."""

USUAL_PATH = {"openai": "/v1"}
"""Where a dialect's servers usually have their endpoints, for a URL that names no path."""

KEY_PLACES = ("--key-env", "--key-file", "--key-command", "--key-keyring")
"""The options that say where the key of the server of --endpoint is."""

CALLED = ("/chat/completions",)
"""What requests add to the URL; some people copy it with that."""


def named_target(options: TargetOptions, session: Session) -> Target:
    """The server of --endpoint. The key is one that these options name, never the platform's."""
    assert options.endpoint is not None, "asked for where an endpoint is named"
    key = _named_key(options, session)
    url = normal_url(
        options.endpoint, "--endpoint", insecure_http=key is None or session.settings.platform.insecure_http
    )
    for called in CALLED:
        url = url.removesuffix(called)
    if not urlsplit(url).path:
        url += USUAL_PATH.get(options.dialect, "")
    return Target.at(
        url,
        options.dialect,
        tls=security(session.settings),
        stream=options.stream,
        headers=identity(Endpoint(url, key)),
        fields=body_fields(options.body),
    )


def _named_key(options: TargetOptions, session: Session) -> Secret | None:
    places = [name for name in given(options) if name in KEY_PLACES]
    if len(places) > 1:
        raise UsageFault(f"{' and '.join(places)} both name a key", hint="leave all but one of them out")
    if not places:
        return None
    key = _key_at(options)
    session.screen.hide(key)
    return key


def _key_at(options: TargetOptions) -> Secret:
    if options.key_env is not None:
        return key_in_variable(options.key_env)
    if options.key_file is not None:
        return key_in_file(options.key_file)
    if options.key_command is not None:
        return key_of_command(_words(options.key_command), "--key-command")
    entry = options.key_keyring or ""
    if not all(entry.partition("/")):
        raise UsageFault(f"--key-keyring {entry[:60]!r} is not SERVICE/USER", hint="--key-keyring llm/me")
    return key_in_keyring(entry, "--key-keyring")


def _words(command: str) -> list[str]:
    """A command's words as a shell takes them apart; no shell sees them."""
    try:
        words = shlex.split(command)
    except ValueError as cause:
        raise UsageFault(f"--key-command: {cause}", hint="close the quote") from cause
    if not words:
        raise UsageFault("--key-command names no program", hint='--key-command "pass show llm"')
    return words


def leased_target(
    options: TargetOptions, session: Session, where: LiveEndpoint, lease_id: LeaseId | None
) -> Target:
    """The data plane at a platform, as its settings say; the embedded one has settings of its own."""
    platform = session.settings.platform
    embedded = not isinstance(session.where, LiveEndpoint)
    dialect = EMBEDDED_DIALECT if embedded else platform.inference
    same_host = _origin(where.inference_url) == _origin(where.base_url)
    # The key is for the platform; another host must never be handed it.
    known_as = Endpoint(where.inference_url, where.key if same_host else None, where.auth)
    names_lease = dialect == EMBEDDED_DIALECT and lease_id is not None
    fields: dict[str, object] = {"allocation_id": lease_id} if names_lease else {}
    target = Target.at(
        where.inference_url,
        dialect,
        tls=security(session.settings),
        stream=options.stream,
        headers=identity(known_as),
        fields=fields | body_fields(options.body),
    )
    own = None if embedded else platform.paths.inference
    return replace(target, path=urlsplit(where.inference_url).path.rstrip("/") + own) if own else target


def named_models(options: TargetOptions, session: Session) -> tuple[tuple[Model, ...], tuple[Part, ...]]:
    """The models of --model, and each one's part as its server calls it.

    Those of the catalogue, where a slice is leased; with --endpoint none, the server has names of its own.
    `UsageFault` where none is named, `NoSuchModel`.
    """
    parts = tuple(map(part_of, options.model or ()))
    if not parts:
        raise UsageFault(
            "say which model to ask",
            hint="--model NAME, as GET /v1/models of the server calls it, or --route",
        )
    if options.endpoint is not None:
        return (), parts
    models = tuple(session.catalogue.find(part.model) for part in parts)
    return models, tuple(
        Part(model.served_name, part.weight) for model, part in zip(models, parts, strict=True)
    )


def route_of(options: TargetOptions, session: Session) -> tuple[tuple[Model, ...], Route]:
    """The models that routing chooses among, by the configured policy, and what chooses.

    By what `infer` knows too: how long answers took, and the circuit breaker, unless it watches another
    server than that of --endpoint. Whether a pool has room for a model now is not looked at: the slice is
    large enough for all of them.
    """
    # Only for this: it loads the routing engine.
    from harpoon_cli.bench.planning.making import Route
    from harpoon_cli.cli.facts import inputs_of, policy_of
    from harpoon_cli.cli.own_weights import installed, weights_path
    from harpoon_cli.routing.weights_file import LARGEST_FILE
    from harpoon_cli.settings.files import read_small

    catalogue = session.catalogue
    policy = policy_of(session.settings, catalogue)
    known = inputs_of(session, Prompt(""), policy, None).candidates()
    if options.endpoint is not None:
        known = tuple(replace(candidate, shut_s=None) for candidate in known)
    served = {model.name: model.served_name for model in catalogue.models.values()}
    own: bytes | None = None
    if installed() is not None:
        own, _ = read_small(weights_path(), "the file of routing weights", limit=LARGEST_FILE)
    route = Route(known, policy, served, own)
    return tuple(catalogue.models[name] for name in policy.allow), route


def security(settings: Settings) -> Security:
    """What makes the engines' contexts for https."""
    http = settings.http
    return Security(http.ca_bundle, http.client_cert, http.client_key)


def body_fields(given: Sequence[str] | None) -> dict[str, object]:
    """The fields of --body; a value that is no JSON is text."""
    fields: dict[str, object] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not name or not equals:
            raise UsageFault(f"--body {text[:60]!r} is not FIELD=JSON", hint="--body temperature=0")
        try:
            fields[name] = json.loads(value)
        except (ValueError, RecursionError):
            fields[name] = value
    return fields


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme.lower(), parts.netloc.lower()
