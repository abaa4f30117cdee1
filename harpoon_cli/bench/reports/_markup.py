"""Elements of HTML, SVG and XML as text, with everything from outside made harmless; no layout."""

from __future__ import annotations

from html import escape

from harpoon_cli.bench.reports._words import shown


class Markup(str):
    """Text that is markup already; plain `str` is content and is escaped."""

    __slots__ = ()


def content(text: str) -> Markup:
    """Text as the content or an attribute of an element: nothing in it is markup, nor unprintable."""
    return text if isinstance(text, Markup) else Markup(escape(shown(text), quote=True))


def element(name: str, /, *inside: str, **attributes: str | float | None) -> Markup:
    """An element. An attribute's name may end in `_` and have `_` for a hyphen; None leaves it out."""
    listed = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{content(_number(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if not inside:
        return Markup(f"<{name}{listed}/>")
    return Markup(f"<{name}{listed}>{''.join(map(content, inside))}</{name}>")


def joined(parts: list[Markup]) -> Markup:
    """Elements one after another."""
    return Markup("".join(parts))


def _number(value: str | float) -> str:
    return value if isinstance(value, str) else f"{value:.6g}"
