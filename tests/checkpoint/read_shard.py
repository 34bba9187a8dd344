"""Prints every dataset of a shard as a line of JSON, as a user of h5py would find it: path, offset, shape, values."""
import json
import sys

import h5py


def show(name, item):
    if isinstance(item, h5py.Dataset):
        assert item.dtype == "<f4", item.dtype
        numbers = lambda key: [] if item.attrs[key] is None or isinstance(item.attrs[key], h5py.Empty) \
            else [int(value) for value in item.attrs[key]]
        print(json.dumps({"path": "/" + name, "offset": numbers("offset"), "shape": list(item.shape),
                          "global_shape": numbers("global_shape"),
                          "values": [float(value) for value in item[()].reshape(-1)]}))


with h5py.File(sys.argv[1], "r") as file:
    file.visititems(show)
