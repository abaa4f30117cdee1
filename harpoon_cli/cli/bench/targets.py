"""What a load test is aimed at: a server that was named, or the data plane of the configured platform."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from harpoon_cli.bench.engine.target import Target
from harpoon_cli.bench.security import Security
from harpoon_cli.cli.bench.options import TargetOptions
from harpoon_cli.cli.session import Session
from harpoon_cli.client.connection import Endpoint, identity
from harpoon_cli.domain import LeaseId, Model, Secret
from harpoon_cli.errors import UsageFault
from harpoon_cli.settings.endpoint import LiveEndpoint, normal_url
from harpoon_cli.settings.model import Settings
from harpoon_cli.settings.secrets import key_in_file, key_in_variable
from harpoon_cli.values import replace

if TYPE_CHECKING:
    from harpoon_cli.bench.making import Route

EMBEDDED_DIALECT = "seed_v1"
"""What the embedded platform speaks; the only dialect whose requests name a lease."""

USUAL_PATH = {"openai": "/v1"}
"""Where a dialect's servers usually have their endpoints, for a URL that names no path."""

CALLED = ("/chat/completions",)
"""What requests add to the URL; some people copy it with that."""


def named_target(options: TargetOptions, session: Session) -> Target:
    """The server of --endpoint. The key is that of --key-env or --key-file, never the platform's."""
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
    if options.key_env is not None and options.key_file is not None:
        raise UsageFault("--key-env and --key-file both name a key", hint="leave one of them out")
    if options.key_env is not None:
        key = key_in_variable(options.key_env)
    elif options.key_file is not None:
        key = key_in_file(options.key_file)
    else:
        return None
    session.screen.hide(key)
    return key


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


def route_of(session: Session) -> tuple[tuple[Model, ...], Route]:
    """The models that routing chooses among, by the configured policy, and what chooses.

    Whether a pool has room for a model now is not looked at: the slice is large enough for all of them.
    """
    # Only for this: it loads the routing engine.
    from harpoon_cli.bench.making import Route
    from harpoon_cli.cli.facts import policy_of
    from harpoon_cli.cli.own_weights import installed, weights_path
    from harpoon_cli.routing.decision import Candidate
    from harpoon_cli.routing.weights_file import LARGEST_FILE
    from harpoon_cli.settings.files import read_small

    catalogue = session.catalogue
    policy = policy_of(session.settings, catalogue)
    known = tuple(catalogue.models.values())
    served = {model.name: model.served_name for model in known}
    own: bytes | None = None
    if installed() is not None:
        own, _ = read_small(weights_path(), "the file of routing weights", limit=LARGEST_FILE)
    route = Route(tuple(Candidate(model) for model in known), policy, served, own)
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
