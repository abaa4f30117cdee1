"""Where a platform is and how this machine reaches it: names, TLS, proxies, the key. Sends no request."""

from __future__ import annotations

import asyncio
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from urllib.parse import urlsplit

from harpoon_cli.client.embedded import Application
from harpoon_cli.client.resolving import resolve
from harpoon_cli.client.wire import BODY_CAP_BYTES
from harpoon_cli.domain import Secret
from harpoon_cli.errors import ConfigurationFault, HarpoonError, NotSent
from harpoon_cli.values import Struct

PROXY_VARIABLES = ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")
"""What sends https through a proxy."""

OTHER_PROXY_VARIABLES = ("HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy")
"""What httpx reads beside those; it refuses all of them where one is wrong."""


class Endpoint(Struct, frozen=True):
    """Where a platform is and how it knows us. `auth` is "bearer", "x-api-key" or "none".

    base_url is normalised (no slash at its end, no user name); for an embedded platform it is only a name,
    and `embedded` answers in this process. `setting` is what hints call base_url.
    """

    base_url: str
    key: Secret | None = None
    auth: str = "bearer"
    embedded: Application | None = None
    setting: str = "platform.base_url"

    @property
    def secure(self) -> bool:
        return self.base_url.startswith("https://")


class Network(Struct, frozen=True):
    """How connections are made. Paths are of PEM files; `proxy` is a URL.

    Proxies, this one and those of the environment, are for https only, where they see a tunnel: plain http
    goes straight to its host, since a proxy could read the key.
    """

    connect_s: float = 5.0
    max_body_bytes: int = BODY_CAP_BYTES
    ca_bundle: str | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = None


async def resolve_s(base_url: str, *, deadline_s: float = 10.0) -> float:
    """The seconds it takes to resolve the host of a URL; `NotSent` where it cannot be resolved in time."""
    url = urlsplit(base_url)
    began = monotonic()
    try:
        async with asyncio.timeout(deadline_s):
            await resolve(url.hostname or "", url.port)
    except (OSError, UnicodeError) as cause:
        why = f"not within {deadline_s:g} s" if isinstance(cause, TimeoutError) else reason(cause)
        raise NotSent(
            f"the host {url.hostname} cannot be resolved: {why}",
            hint="check platform.base_url and this machine's DNS",
        ) from cause
    return monotonic() - began


def _innermost(error: BaseException) -> BaseException:
    """The libraries wrap "connection refused" in words that do not say so."""
    cause: BaseException | None = error
    seen: set[int] = set()
    # A call that fails while another failure is handled has that one behind it: a chain can be a circle.
    while cause is not None and id(cause) not in seen and not isinstance(cause, HarpoonError):
        seen.add(id(cause))
        error, cause = cause, cause.__cause__ or cause.__context__
        if isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
    return error


def reason(error: BaseException) -> str:
    """Why no connection came about, or it broke, by the innermost cause."""
    match error := _innermost(error):
        case ssl.SSLCertVerificationError():
            return f"its TLS certificate is not trusted ({error.verify_message}); see http.ca_bundle"
        case ssl.SSLError():
            return f"TLS failed ({error.reason or error})"
        case socket.gaierror():
            return f"its name cannot be resolved ({error.strerror})"
        case OSError(errno=int(number)):
            return os.strerror(number)
    return str(error) or type(error).__name__


def identity(endpoint: Endpoint) -> dict[str, str]:
    """The header that says who we are; `ConfigurationFault` for a key that no header can hold."""
    if endpoint.key is None or endpoint.auth == "none":
        return {}
    key = endpoint.key.reveal()
    if not (key.isascii() and key.isprintable() and key.strip() == key):
        # The libraries would refuse it too, and quote it.
        raise ConfigurationFault("the key holds a character that cannot be sent", hint="harpoon doctor")
    return {"x-api-key": key} if endpoint.auth == "x-api-key" else {"authorization": f"Bearer {key}"}


def _set_by(network: Network, variables: tuple[str, ...]) -> str:
    """The names of what sets proxies; never their values, which may hold a password."""
    return "http.proxy" if network.proxy else " or ".join(name for name in variables if os.environ.get(name))


def proxy_fault(network: Network) -> ConfigurationFault:
    """The error for proxies that cannot be used."""
    culprits = _set_by(network, PROXY_VARIABLES + OTHER_PROXY_VARIABLES)
    return ConfigurationFault(
        f"{culprits} cannot be used: a proxy is an http:// or https:// URL",
        hint="set it to http://host:port, or take it away",
    )


def way_out(endpoint: Endpoint, network: Network, error: BaseException) -> str:
    """The hint for when no connection comes about; `error` says why, `TimeoutError` that it took too long."""
    culprits = _set_by(network, PROXY_VARIABLES) if endpoint.secure else ""
    proxy = f"; a proxy is set by {culprits}" if culprits else ""
    return f"{_remedy(endpoint.setting, _innermost(error))}; harpoon doctor{proxy}"


def _remedy(setting: str, error: BaseException) -> str:
    match error:
        case ssl.SSLCertVerificationError():
            return f"check the host in {setting}; http.ca_bundle names the authorities to trust"
        case ssl.SSLError():
            return f"check that TLS is spoken at {setting}, and http.client_cert if it asks for one"
        case socket.gaierror() | UnicodeError():
            return f"check the host in {setting}, and this machine's DNS"
        case TimeoutError():
            return f"check host and port in {setting}; http.connect_s allows longer"
    return f"check host and port in {setting}: is the platform up?"


def tls_context(network: Network, trusting_default: Callable[[], ssl.SSLContext]) -> ssl.SSLContext:
    """The context for https; trusting_default makes one that trusts SSL_CERT_FILE or the usual authorities.

    `ConfigurationFault` names the setting or variable whose file cannot be used.
    """
    if network.ca_bundle:
        with _named(f"http.ca_bundle ({network.ca_bundle})"):
            context = ssl.create_default_context(cafile=network.ca_bundle)
    else:
        variables = ("SSL_CERT_FILE", "SSL_CERT_DIR")
        found = next((f"{name} ({os.environ[name]})" for name in variables if os.environ.get(name)), "TLS")
        with _named(found):
            context = trusting_default()
    if network.client_cert:
        with _named("http.client_cert or http.client_key"):
            # Without a password of ours, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(network.client_cert, network.client_key, password=lambda: "")
    return context


@contextmanager
def _named(setting: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as cause:
        raise ConfigurationFault(
            f"{setting} cannot be used: {reason(cause)}", hint="it must be a readable PEM file"
        ) from cause
