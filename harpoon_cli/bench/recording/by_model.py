"""What was recorded of each model of a run that asks several; counts only, as of the whole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from harpoon_cli.bench.recording.kept import Recording, RequestLimits
from harpoon_cli.bench.recording.recorder import Recorder, from_recording
from harpoon_cli.bench.recording.sample import Sample


class ByModel:
    """A recorder for every model; together they hold what the recorder of the whole does."""

    def __init__(self, limits: RequestLimits) -> None:
        self.recorders: dict[str, Recorder] = {}
        self._limits = limits

    def take(self, samples: Sequence[Sample]) -> None:
        """Record requests that are over. A plan names the models, so they are few."""
        for sample in samples:
            self._of(sample.model).on_sample(sample)

    def absorb(self, recordings: Mapping[str, Recording]) -> None:
        """Add what was recorded elsewhere; `UsageFault` where the limits of a good request differ."""
        for model, recording in recordings.items():
            self._of(model).absorb(from_recording(recording))

    def _of(self, model: str) -> Recorder:
        found = self.recorders.get(model)
        if found is None:
            found = self.recorders[model] = Recorder(limits=self._limits)
        return found


def recordings(recorders: Mapping[str, Recorder]) -> dict[str, Recording]:
    """All that is known of each model, frozen."""
    return {model: recorder.recording() for model, recorder in sorted(recorders.items())}


def together(parts: Iterable[Mapping[str, Recording]], limits: RequestLimits) -> Mapping[str, Recorder]:
    """The recorders of all parts of a run, model by model."""
    whole = ByModel(limits)
    for part in parts:
        whole.absorb(part)
    return whole.recorders
