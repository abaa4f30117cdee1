"""A text that arrives in pieces, made harmless as it would be whole; it writes nothing."""

from __future__ import annotations

from harpoon_cli.render.safe import JOINERS, visible
from harpoon_cli.render.terminal import Channel


class Flow:
    """Gives what can be shown already, and holds back an end that the next piece decides about."""

    def __init__(self) -> None:
        self._held = ""
        self._before = ""

    def take(self, piece: str, channel: Channel) -> str:
        """What can be shown now that `piece`, which is not empty, has come."""
        text = self._held + piece
        undecided = 1 if text[-1] in JOINERS else channel.veil.undecided(text)
        decided = len(text) - undecided
        self._held = text[decided:]
        return self._shown(text[:decided], channel)

    def rest(self, channel: Channel) -> str:
        """What was held back: nothing comes after it."""
        held, self._held = self._held, ""
        shown, self._before = self._shown(held, channel), ""
        return shown

    def _shown(self, text: str, channel: Channel) -> str:
        covered = channel.veil.over(text)
        # A joiner at the start is judged by the character before it too.
        whole = visible(self._before + covered, newlines=True)
        shown = whole[len(visible(self._before, newlines=True)) :]
        self._before = covered[-1:] or self._before
        return channel.encodable(shown)
