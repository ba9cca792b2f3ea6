"""The kept points of a network that is still learning, so that work that was interrupted goes on from the last one.

    home_folder()/learning/<digest of the request>/<steps>.safetensors

Each is written whole, with a digest of what it holds; one that is damaged, and those after it, are not believed.
All of a request goes when its work is done; what nobody came back for goes after a week.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fmd_core.data import Array, content_fingerprint
from fmd_core.errors import SolverError
from fmd_core.home import home_folder, room_needed
from fmd_core.running.whole_arrays import DamagedError, keep_arrays, read_arrays

if TYPE_CHECKING:
    import torch
    from torch import nn

    from fmd_core.unlearn.deeper.objectives import GroupObjective

FORMAT = "fmd-learning-3"  # another recipe does not go on where one began
ABANDONED_SECONDS = 7 * 86_400.0
WEIGHTS, MEAN, MOMENTS, REST = "weights.", "mean.", "moments.", "rest."
State = Mapping[str, Array]


@dataclass(eq=False)
class Standing:
    """Everything that the next step depends on."""

    whole: nn.Module
    mean: nn.Module
    optimiser: torch.optim.Optimizer
    falling: torch.optim.lr_scheduler.LRScheduler
    rng: np.random.Generator
    generator: torch.Generator
    objective: GroupObjective

    def take(self, loss: torch.Tensor) -> None:
        """A step down a loss, and what it does to the running mean of the weights."""
        self.optimiser.zero_grad()
        loss.backward()
        self.optimiser.step()
        self.mean.update_parameters(self.whole)  # type: ignore[operator]
        self.falling.step()

    def arrays(self) -> dict[str, Array]:
        """All of it as arrays by name."""
        found = {f"{WEIGHTS}{name}": tensor for name, tensor in self.whole.state_dict().items()}
        found |= {f"{MEAN}{name}": tensor for name, tensor in self.mean.state_dict().items()}
        for i, parameter in enumerate(self.whole.parameters()):
            for name, tensor in self.optimiser.state[parameter].items():
                found[f"{MOMENTS}{i}.{name}"] = tensor
        found[f"{REST}generator"] = self.generator.get_state()
        found[f"{REST}remembered"] = self.objective.remembered
        return {name: np.array(tensor.detach().numpy()) for name, tensor in found.items()}

    def numbers(self) -> str:
        """What is no array."""
        rates = [group["lr"] for group in self.optimiser.param_groups]
        return json.dumps({"drawn": self.rng.bit_generator.state, "rates": rates})

    def restore(self, arrays: State, numbers: str, step: int) -> None:
        """Stand where another one stood after `step` steps. ValueError, RuntimeError or KeyError for what does not
        fit."""
        import torch

        def of(prefix: str) -> dict[str, torch.Tensor]:
            return {
                name.removeprefix(prefix): torch.from_numpy(array.copy())
                for name, array in arrays.items()
                if name.startswith(prefix)
            }

        self.whole.load_state_dict(of(WEIGHTS))
        self.mean.load_state_dict(of(MEAN))
        moments = of(MOMENTS)
        for i, parameter in enumerate(self.whole.parameters()):
            names = [name for name in moments if name.startswith(f"{i}.")]
            self.optimiser.state[parameter] = {name.split(".", 1)[1]: moments[name] for name in names}
        rest, told = of(REST), json.loads(numbers)
        self.generator.set_state(rest["generator"])
        self.objective.remembered = rest["remembered"]
        self.rng.bit_generator.state = told["drawn"]
        for group, rate in zip(self.optimiser.param_groups, told["rates"], strict=True):
            group["lr"] = rate
        self.falling.last_epoch = step


@dataclass(frozen=True)
class Checkpoints:
    """Of one request: the same model, data, settings and seed."""

    folder: Path

    @classmethod
    def of(cls, *request: str) -> Checkpoints:
        """Where those of a request lie."""
        return cls(home_folder() / "learning" / content_fingerprint(FORMAT, *request)[:32])

    @property
    def steps(self) -> tuple[int, ...]:
        """Steps that were written, ascending; () where nothing was interrupted."""
        return tuple(
            sorted(int(path.stem) for path in self.folder.glob("*.safetensors") if path.stem.isdecimal())
        )

    def write(self, step: int, standing: Standing) -> None:
        """Keep where the work stands. SolverError where the disk is full."""
        told = {"format": FORMAT, "numbers": standing.numbers()}
        with room_needed(SolverError):
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.folder.parent)
            keep_arrays(self._file(step), standing.arrays(), told)

    def resume(self, standing: Standing) -> dict[int, dict[str, Array]]:
        """Let the work stand where it was interrupted. Gives the running means by steps; nothing where it begins."""
        found: dict[int, dict[str, Array]] = {}
        last: tuple[State, str, int] | None = None
        for step in self.steps:
            known = self._read(step)
            if known is None:
                break
            arrays, numbers = known
            prefix = f"{MEAN}module."
            found[step] = {n.removeprefix(prefix): a for n, a in arrays.items() if n.startswith(prefix)}
            last = arrays, numbers, step
        if last is not None:
            standing.restore(*last)
        return found

    def _read(self, step: int) -> tuple[dict[str, Array], str] | None:
        """What was written at a step; None for what is damaged."""
        try:
            arrays, told = read_arrays(self._file(step))
        except DamagedError:
            return None
        return (arrays, told.get("numbers", "")) if told.get("format") == FORMAT else None

    def _file(self, step: int) -> Path:
        return self.folder / f"{step}.safetensors"

    def sweep(self) -> None:
        """The work is done: nothing is kept of it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def _sweep(folder: Path) -> None:
    """Remove what nobody came back for."""
    for request in folder.iterdir():
        with contextlib.suppress(OSError):
            if time.time() - request.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(request, ignore_errors=True)
