"""Reads what the page downloads as its users do, and checks that every file holds the float64s of the API's answer.

    python exports.py FOLDER

FOLDER has correlation.json, .csv, .npy, .npz and .arrows. The exit code says whether all was well.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

folder = Path(sys.argv[1])
ranges = json.loads((folder / "correlation.json").read_text())["ranges"]
r = np.array([[one["r"] for one in part["results"]] for part in ranges])
n = np.array([[one["n"] for one in part["results"]] for part in ranges])
ids = [one["series_id"] for one in ranges[0]["results"]]
symbols = [one["series"]["symbol"] for part in ranges for one in part["results"]]

np.testing.assert_array_equal(np.load(folder / "correlation.npy"), r)
with np.load(folder / "correlation.npz") as arrays:
    np.testing.assert_array_equal(arrays["r"], r)
    np.testing.assert_array_equal(arrays["n"], n)
    assert arrays["series_id"].tolist() == ids

with pa.ipc.open_stream(folder / "correlation.arrows") as reader:
    table = reader.read_all().to_pandas()
lines = pd.read_csv(folder / "correlation.csv", float_precision="round_trip")
for frame in (table, lines):
    np.testing.assert_array_equal(frame["r"].to_numpy(), r.ravel())
    np.testing.assert_array_equal(frame["n"].to_numpy(), n.ravel())
    assert frame["series_id"].tolist() == ids * len(ranges)
    assert frame["symbol"].tolist() == symbols
