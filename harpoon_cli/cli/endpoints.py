"""Models with an endpoint of their own, where nothing is leased: which have one. It asks nobody."""

from __future__ import annotations

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
