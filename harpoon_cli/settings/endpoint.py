"""Decides which platform a command talks to: the one that is configured, or, where nothing is, the sandbox.

Half a configuration is an error, never the sandbox:

    base_url   key   auth = "none"
    no         no    -               the sandbox (an error with `live`)
    no         yes   -               an error: the URL is missing
    yes        no    no              an error: the key is missing
    yes        yes   no              live
    yes        -     yes             live, and no key is sent

With control = "static" there is no control plane, and inference_url alone is a whole configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from harpoon_cli.domain import Secret
from harpoon_cli.errors import ConfigurationFault
from harpoon_cli.settings.load import Loaded
from harpoon_cli.settings.origins import OF_DIRECTORY, SourceName
from harpoon_cli.settings.secrets import KeyPlace, key_place, resolve_key
from harpoon_cli.values import Struct

ROUTE = (
    "platform.base_url",
    "platform.inference_url",
    "platform.paths.allocate",
    "platform.paths.inference",
    "platform.paths.pools",
    "platform.paths.health",
    "http.proxy",
    "http.ca_bundle",
)
"""Settings that decide who gets the key; where one is from a project file or .env, the key must be too."""


class SandboxEndpoint(Struct, frozen=True):
    """The embedded platform; nothing at all is configured."""


class LiveEndpoint(Struct, frozen=True):
    """A real platform. The URLs are normalised: no slash at the end, host in lower case.

    key is None exactly where auth is "none". url_origin is where base_url came from, or inference_url where
    only that came with the working directory. readable_on_the_way lists the URLs that are plain http beyond
    loopback; `doctor` and -v name them.
    """

    base_url: str
    inference_url: str
    auth: str
    key: Secret | None
    url_origin: SourceName
    key_origin: str | None
    readable_on_the_way: tuple[str, ...] = ()

    @property
    def from_directory(self) -> bool:
        """Whether one of the URLs came with the working directory, and so perhaps from somebody else."""
        return self.url_origin.kind in OF_DIRECTORY


Endpoint = SandboxEndpoint | LiveEndpoint


def endpoint(loaded: Loaded, *, environ: Mapping[str, str] = os.environ) -> Endpoint:
    """The platform these settings mean, with its key fetched; `ConfigurationFault` where they mean none.

    The key is fetched last, so that nothing is run or read for a configuration that cannot work.
    """
    platform = loaded.settings.platform
    setting, place = _url_setting(loaded), key_place(loaded)
    if setting is None:
        return _without_url(loaded, place)
    base_url = platform.base_url or platform.inference_url or ""
    first = check_url(base_url, setting, loaded)
    second = check_url(platform.inference_url or base_url, "platform.inference_url", loaded)
    found = None
    if platform.auth != "none":
        refuse_mixed_trust(loaded, place or _missing_key(loaded, setting))
        found = resolve_key(loaded, environ=environ)
    return LiveEndpoint(
        base_url=first,
        inference_url=second,
        auth=platform.auth,
        key=found.secret if found else None,
        url_origin=_url_origin(loaded, setting),
        key_origin=found.origin if found else None,
        readable_on_the_way=tuple(dict.fromkeys(url for url in (first, second) if is_readable(url))),
    )


def _url_setting(loaded: Loaded) -> str | None:
    """The setting that says where the platform is, dotted; None where none does."""
    platform = loaded.settings.platform
    if platform.base_url is not None:
        return "platform.base_url"
    if platform.inference_url is None:
        return None
    if platform.control == "static":
        return "platform.inference_url"
    source = loaded.origins["platform.inference_url"]
    raise ConfigurationFault(
        f"platform.inference_url is set ({source}), but not where leases come from",
        hint='set HOSTED_AI_BASE_URL too, or platform.control = "static" where nothing is leased',
    )


def _url_origin(loaded: Loaded, setting: str) -> SourceName:
    """Where the URL came from; of two, the one that came with the working directory."""
    origins = [loaded.origins[setting], loaded.origins["platform.inference_url"]]
    return next((origin for origin in origins if origin.kind in OF_DIRECTORY), origins[0])


def _without_url(loaded: Loaded, place: KeyPlace | None) -> SandboxEndpoint:
    if place is not None:
        raise ConfigurationFault(
            f"there is a key ({place.setting}, {place.source}), but no URL to send it to",
            hint="set HOSTED_AI_BASE_URL, or platform.base_url in a file; to use the sandbox, unset the key",
        )
    if loaded.settings.live:
        raise ConfigurationFault(
            f"no platform is configured, and the sandbox is ruled out ({loaded.origins['live']})",
            hint="set HOSTED_AI_BASE_URL and HOSTED_AI_API_KEY, or run harpoon config init",
        )
    return SandboxEndpoint()


def _missing_key(loaded: Loaded, setting: str) -> KeyPlace:
    raise ConfigurationFault(
        f"there is a URL ({setting}, {loaded.origins[setting]}), but no key for it",
        hint='set HOSTED_AI_API_KEY, or platform.api_key_file in a file; platform.auth = "none" sends none',
    )


def refuse_mixed_trust(loaded: Loaded, place: KeyPlace) -> None:
    """`ConfigurationFault` where the user's key would go where a file of the working directory says.

    A clone's harpoon.toml or .env could otherwise collect the keys of everybody who runs harpoon in it.
    """
    if place.source.kind in OF_DIRECTORY:
        return
    for setting in ROUTE:
        if (source := loaded.origins[setting]).kind in OF_DIRECTORY:
            raise ConfigurationFault(
                f"{source} sets {setting}, and the key is from elsewhere ({place.source}): a file that may "
                "have come with somebody else's code does not decide where your key goes",
                hint=f"if you trust it, set {setting} yourself (environment or user file), or name the file "
                "with --config or HARPOON_CONFIG",
            )


def check_url(url: str, setting: str, loaded: Loaded) -> str:
    """The URL, normalised; `ConfigurationFault` where it may not be used."""
    return normal_url(
        url,
        f"{setting} ({loaded.origins[setting]})",
        insecure_http=loaded.settings.platform.insecure_http,
    )


def normal_url(url: str, what: str, *, insecure_http: bool) -> str:
    """A platform's URL: host in lower case, no default port, no slash at the end.

    https everywhere, http on loopback or with insecure_http; a path in front of the endpoints' own is fine,
    user names, queries and fragments are not. `what` is how messages call it. Raises `ConfigurationFault`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as cause:
        raise ConfigurationFault(f"{what} is not a URL") from cause
    trouble = _trouble(url, host, parts.netloc, parts.path)
    if trouble:
        raise ConfigurationFault(f"{what} {trouble}", hint="for example https://api.hosted.ai")
    if parts.scheme == "http" and not (insecure_http or is_loopback(host)):
        raise ConfigurationFault(
            f"{what} is plain http: everybody on the way could read the key and the prompts",
            hint="use https, or platform.insecure_http = true for a platform of your own network",
        )
    shown_host = f"[{host}]" if ":" in host else host
    default_port = {"https": 443, "http": 80}[parts.scheme]
    shown_port = "" if port in (None, default_port) else f":{port}"
    return f"{parts.scheme}://{shown_host}{shown_port}{parts.path.rstrip('/')}"


def _trouble(url: str, host: str, netloc: str, path: str) -> str | None:
    """What makes a URL unusable as a platform's; never quotes it, since it may hold a password."""
    if not url.lower().startswith(("https://", "http://")) or not host:
        return "is not a URL that starts with https:// and names a host"
    if "@" in netloc:
        return "holds a user name or a password; the key has its own settings"
    if "?" in url or "#" in url:
        return "holds a query or a fragment"
    if not url.isascii() or not url.isprintable() or any(sign in url for sign in ' \\"<>^`{|}'):
        return "holds a character that does not belong into a URL"
    if any(part in (".", "..") for part in path.split("/")) or "//" in path:
        return "has a path with empty or dotted steps"
    return None


def is_loopback(host: str) -> bool:
    """Whether a host is this machine by its very name: localhost, 127.0.0.0/8, ::1."""
    if host.rstrip(".") == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def is_readable(url: str) -> bool:
    """Whether what is sent to a normalised URL can be read on the way."""
    parts = urlsplit(url)
    return parts.scheme == "http" and not is_loopback(parts.hostname or "")
