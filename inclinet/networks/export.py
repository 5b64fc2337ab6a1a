"""Export a trained Keras network to ONNX, which predicts without Keras.

The graph is written layer by layer from the weights. Keras's own export will not do: through tf2onnx, it makes graphs
of networks trained in bfloat16 that onnxruntime refuses, and on JAX it needs yet another package.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnx
from keras import layers
from onnx import TensorProto, helper, numpy_helper

from inclinet.errors import InclinetError
from inclinet.networks.runtime import INCLINATION, PIXELS
from inclinet.storage.atomic import atomic_file

__all__ = ["MAX_BYTES", "export_network"]

MAX_BYTES = 5_000_000
"""Size of a file (bytes) above which weights are stored as 16-bit integers."""

_OPSET, _IR_VERSION = 17, 8  # of 2022, so that older runtimes read them, too
_ACTIVATIONS = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softmax": "Softmax"}
_WITHOUT_EFFECT = (layers.Dropout, layers.SpatialDropout2D, layers.GaussianNoise)  # on predictions
_SMALL = 1024  # tensors with fewer weights stay float32
_LARGEST = 32767  # of 16-bit integers


def export_network(network: keras.Model, path: Path, *, compact: bool | None = None) -> Path:
    """Write a network as ONNX; returns `path`. The same network gives the same bytes.

    The graph takes `pixels`, float32 (N, size, size, channels) with values 0–255. It returns `inclination`, (N, 1), in
    the units of the network's output. It computes in float32, also where the network was trained in bfloat16.

    Parameters
    ----------
    network : keras.Model
        One input, one output.
    path : Path
    compact : bool, optional
        Store weights as 16-bit integers with a scale for each filter: about half the size, for a change of far less
        than 0.01 deg. Default: only if the file would be larger than `MAX_BYTES`.

    Raises
    ------
    InclinetError
        When the network has a layer, or an option of one, that cannot be exported.
    """
    content = _Graph(network, compact or False).to_bytes()
    if compact is None and len(content) > MAX_BYTES:
        content = _Graph(network, True).to_bytes()
    with atomic_file(path) as part:
        part.write_bytes(content)
    return path


class _Graph:
    """The ONNX graph of a network, built at once. Images have their channels first in it, as ONNX demands."""

    def __init__(self, network: keras.Model, compact: bool) -> None:
        self._compact = compact
        self._nodes: list[onnx.NodeProto] = []
        self._weights: list[onnx.TensorProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._input = _describe(PIXELS, network.input)
        # The tensors of the graph by the identity of the Keras tensors that they stand for.
        self._names = {id(network.input): self._add("Transpose", "channels_first", [PIXELS], perm=[0, 3, 1, 2])}
        for layer in network.layers:
            if not isinstance(layer, layers.InputLayer):
                self._names[id(layer.output)] = self._layer(layer)
        self._output(INCLINATION, network.output)

    def to_bytes(self) -> bytes:
        """Return the content of the ONNX file."""
        graph = helper.make_graph(self._nodes, "inclinet", [self._input], self._outputs, self._weights)
        opsets = [helper.make_opsetid("", _OPSET)]
        model = helper.make_model(graph, producer_name="inclinet", opset_imports=opsets, ir_version=_IR_VERSION)
        onnx.checker.check_model(model)
        return bytes(model.SerializeToString(deterministic=True))

    def _add(self, kind: str, name: str, inputs: Sequence[str], **attributes: Any) -> str:
        """Add a node with one output; returns the name of that."""
        self._nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def _output(self, name: str, tensor: keras.KerasTensor) -> None:
        self._add("Identity", name, [self._names[id(tensor)]])
        self._outputs.append(_describe(name, tensor))

    def _constant(self, name: str, values: Any, filters: int | None = None) -> str:
        """Add weights; `filters` is the axis of the filters of a tensor that may be stored in 16 bits."""
        array = np.asarray(keras.ops.convert_to_numpy(values), np.float32)
        if filters is None or not self._compact or array.size < _SMALL:
            self._weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
            return name
        others = tuple(axis for axis in range(array.ndim) if axis != filters)
        scale = np.abs(array).max(axis=others, keepdims=True) / _LARGEST
        integers = np.rint(array / np.where(scale > 0, scale, 1)).astype(np.int16)
        self._weights.append(numpy_helper.from_array(integers, f"{name}/integers"))
        self._weights.append(numpy_helper.from_array(scale.astype(np.float32), f"{name}/scale"))
        exact = self._add("Cast", f"{name}/float", [f"{name}/integers"], to=TensorProto.FLOAT)
        return self._add("Mul", name, [exact, f"{name}/scale"])

    def _layer(self, layer: keras.Layer) -> str:
        """Add a layer; returns the name of its output."""
        given = layer.input if isinstance(layer.input, list) else [layer.input]
        inputs = [self._names[id(tensor)] for tensor in given]
        # A slash, so that no layer is taken for an input or output of the graph.
        name = f"layers/{layer.name}"
        if isinstance(layer, _WITHOUT_EFFECT):
            return inputs[0]
        for kind, add in _KINDS.items():
            if type(layer) is kind:
                _check_channels_last(layer)
                return add(self, layer, name, inputs)
        raise InclinetError(
            f"layer {layer.name}: layers of the kind {type(layer).__name__} cannot be exported to ONNX; "
            "inclinet/networks/export.py would have to learn them"
        )

    def _activation(self, layer: keras.Layer, name: str, value: str) -> str:
        """Add the activation function of a layer."""
        function = keras.activations.serialize(layer.activation)
        if function == "linear":
            return value
        if function not in _ACTIVATIONS:
            raise InclinetError(f"layer {layer.name}: activation {function} cannot be exported to ONNX")
        return self._add(_ACTIVATIONS[function], f"{name}/{function}", [value])

    def _activation_layer(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        return self._activation(layer, name, inputs[0])

    def _rescaling(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        numbers = {key: np.reshape(getattr(layer, key), (-1, 1, 1)) for key in ("scale", "offset")}
        scaled = self._add("Mul", f"{name}/scaled", [*inputs, self._constant(f"{name}/scale", numbers["scale"])])
        return self._add("Add", name, [scaled, self._constant(f"{name}/offset", numbers["offset"])])

    def _convolution(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        kernel = np.transpose(keras.ops.convert_to_numpy(layer.kernel), (3, 2, 0, 1))
        inputs = [*inputs, self._constant(f"{name}/kernel", kernel, filters=0)]
        if layer.use_bias:
            inputs.append(self._constant(f"{name}/bias", layer.bias))
        options = {"dilations": layer.dilation_rate, "group": layer.groups}
        window = _window(layer, layer.kernel_size, layer.dilation_rate)
        return self._activation(layer, name, self._add("Conv", name, inputs, **window, **options))

    def _normalisation(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        mean = np.asarray(keras.ops.convert_to_numpy(layer.moving_mean))
        numbers = {
            "gamma": layer.gamma if layer.scale else np.ones_like(mean),
            "beta": layer.beta if layer.center else np.zeros_like(mean),
            "mean": mean,
            "variance": layer.moving_variance,
        }
        inputs = [*inputs, *(self._constant(f"{name}/{key}", values) for key, values in numbers.items())]
        return self._add("BatchNormalization", name, inputs, epsilon=layer.epsilon)

    def _max_pooling(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        return self._add("MaxPool", name, inputs, **_window(layer, layer.pool_size))

    def _average_pooling(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        return self._add("AveragePool", name, inputs, **_window(layer, layer.pool_size))

    def _global_average(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        return self._add("Flatten", name, [self._add("GlobalAveragePool", f"{name}/mean", inputs)])

    def _flatten(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        if len(layer.input.shape) == 4:  # the dense layers behind it know the pixels with their channels last
            inputs = [self._add("Transpose", f"{name}/channels_last", inputs, perm=[0, 2, 3, 1])]
        return self._add("Flatten", name, inputs)

    def _dense(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        value = self._add(
            "MatMul", f"{name}/product", [*inputs, self._constant(f"{name}/kernel", layer.kernel, filters=1)]
        )
        if layer.use_bias:
            value = self._add("Add", name, [value, self._constant(f"{name}/bias", layer.bias)])
        return self._activation(layer, name, value)

    def _sum(self, layer: keras.Layer, name: str, inputs: list[str]) -> str:
        return self._add("Sum", name, inputs)


_KINDS = {
    layers.Activation: _Graph._activation_layer,
    layers.Add: _Graph._sum,
    layers.AveragePooling2D: _Graph._average_pooling,
    layers.BatchNormalization: _Graph._normalisation,
    layers.Conv2D: _Graph._convolution,
    layers.Dense: _Graph._dense,
    layers.Flatten: _Graph._flatten,
    layers.GlobalAveragePooling2D: _Graph._global_average,
    layers.MaxPooling2D: _Graph._max_pooling,
    layers.Rescaling: _Graph._rescaling,
}


def _describe(name: str, tensor: keras.KerasTensor) -> onnx.ValueInfoProto:
    """Return an input or output of the graph; its first axis, N, may have any length."""
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *tensor.shape[1:]])


def _check_channels_last(layer: keras.Layer) -> None:
    axis = getattr(layer, "axis", -1)
    if getattr(layer, "data_format", "channels_last") != "channels_last" or axis not in (
        -1,
        len(layer.output.shape) - 1,
    ):
        raise InclinetError(f"layer {layer.name}: only layers with the channels last can be exported to ONNX")


def _window(layer: keras.Layer, size: tuple[int, int], dilation: tuple[int, int] = (1, 1)) -> dict[str, Any]:
    """Return the attributes of a sliding window: its size, its steps, and the pixels added around the image.

    `same` padding adds what is odd at the end, as TensorFlow and JAX do.
    """
    sides = layer.input.shape[1:3]
    before, after = [], []
    for side, extent, step, gap in zip(sides, size, layer.strides, dilation, strict=True):
        reach = (extent - 1) * gap + 1
        missing = max((-(-side // step) - 1) * step + reach - side, 0) if layer.padding == "same" else 0
        before.append(missing // 2)
        after.append(missing - missing // 2)
    return {"kernel_shape": size, "strides": layer.strides, "pads": [*before, *after]}
