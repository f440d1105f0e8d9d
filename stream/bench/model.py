"""(a), (b): a model alone, per size and batch, beside what the machine can do at best."""

import statistics
from collections.abc import Sequence
from typing import Any

from models import registry
from models.cost import costs_gmac
from models.network import NetworkConfig
from stream.bench.ceiling import convolution_chains, matrix_product
from stream.bench.runner import Runner
from stream.bench.timing import median_ratio, rounds
from stream.inference.engine import Engine

SIZES = {"480p": (854, 480), "720p": (1280, 720), "1080p": (1920, 1080), "4K": (3840, 2160)}


def network_of(model: str) -> NetworkConfig | None:
    """The size of one of this project's networks; None for other people's models."""
    return None if registry.find_model(model).foreign else registry.load(model).config


def measure_model(
    engine: Engine, config: NetworkConfig | None, width: int, height: int, frames: int
) -> dict[str, Any]:
    """The model and the ceiling, in turn. Keys `model`, and `ceiling` for this project's networks.

    The ceiling is the rate of the network's multiplications if those of each resolution were done
    at the rate of the best chain there. `share_of_ceiling` is the median over rounds of the model's
    rate over it.
    """
    run = Runner(engine, width, height)
    if config is None:
        ms = statistics.median(rounds({"model": run}, frames)["model"])
        return {"model": {"name": engine.name, "ms_per_frame": round(ms, 3)}}
    chains = convolution_chains(config, engine.compute, height, width)
    loads = chains | {"matrix product": matrix_product(engine.compute)}
    times = rounds({"model": run} | {name: load.call for name, load in loads.items()}, frames)
    costs = costs_gmac(config, height, width)
    gmac = sum(costs.values())
    rates = {name: load.gflop / min(times[name]) * 1e3 for name, load in loads.items()}
    best = {
        divisor: max((n for n in chains if chains[n].divisor == divisor), key=lambda n: rates[n])
        for divisor in costs
    }
    ideal = [
        sum(2 * costs[d] / chains[name].gflop * times[name][index] for d, name in best.items())
        for index in range(frames)
    ]
    ms = statistics.median(times["model"])
    return {
        "model": {
            "name": engine.name,
            "gmac_per_frame": round(gmac, 3),
            "ms_per_frame": round(ms, 3),
            "gflops": round(2 * gmac / ms * 1e3, 2),
            "best_gflops": round(2 * gmac / min(times["model"]) * 1e3, 2),
            "share_of_ceiling": round(median_ratio(ideal, times["model"]), 3),
        },
        "ceiling": {
            "gflops": round(gmac / sum(costs[d] / rates[n] for d, n in best.items()), 2),
            "chains": {name: round(rates[name], 2) for name in chains},
            "matrix_product_gflops": round(rates["matrix product"], 2),
        },
    }


def measure_matrix(
    engine: Engine, sizes: Sequence[tuple[int, int]], batches: Sequence[int], frames: int
) -> list[dict[str, Any]]:
    """Milliseconds per frame for each size and batch."""
    rows = []
    for width, height in sizes:
        cases = {str(batch): Runner(engine, width, height, batch) for batch in batches}
        times = rounds(cases, frames)
        for batch in batches:
            ms = statistics.median(times[str(batch)]) / batch
            megapixels = width * height / 1e6
            rows.append(
                {
                    "size": f"{width}x{height}",
                    "batch": batch,
                    "ms_per_frame": round(ms, 3),
                    "ms_per_megapixel": round(ms / megapixels, 3),
                }
            )
    return rows
