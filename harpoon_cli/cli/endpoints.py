"""Models with an endpoint of their own, where nothing is leased: which have one, and what watches it."""

from __future__ import annotations

from harpoon_cli.client.guard import Guard
from harpoon_cli.settings.endpoint import normal_url
from harpoon_cli.settings.model import Settings


def own_url(settings: Settings, model: str) -> str | None:
    """The URL of `models.NAME.inference_url`, normalised; None where prompts go to the platform's.

    With leases prompts go to the slice that is leased, whatever the table says. `ConfigurationFault` for a
    URL that may not be used.
    """
    if settings.platform.control != "static":
        return None
    tables = {name.lower(): table for name, table in settings.models.items()}
    url = tables[model].inference_url if model in tables else None
    if url is None:
        return None
    what = f"models.{model}.inference_url"
    return normal_url(url, what, insecure_http=settings.platform.insecure_http)


def guard_of(settings: Settings, model: str) -> Guard | None:
    """What watches where a model answers; None for the sandbox."""
    # Only here: it loads what calls are made with.
    from harpoon_cli.cli.connect import guard, guard_at

    url = own_url(settings, model)
    return guard(settings, "inference") if url is None else guard_at(settings, url, "inference")
