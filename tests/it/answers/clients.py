"""Reads chunkwise's answers as data scientists do, and checks that every format holds the same float64s.

    python clients.py FOLDER PRICES

FOLDER has the answers to four questions as NAME.json, .npy, .npz, .arrow and .csv, windows also as NAME.wide.arrow
and .wide.csv: the windows `level` and `returns`, and the correlations `correlation` and `ranking`, all of the field
Close of PRICES, the CSV file that was loaded. The exit code says whether all was well.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

TAG = pa.dictionary(pa.int32(), pa.utf8())
TIME = pa.timestamp("us", tz="UTC")
STATS = ["p_value", "ci95_low", "ci95_high", "q_value"]


def bits(values):
    """The bits of float64s, in which all NaNs are one."""
    values = np.array(values, dtype=np.float64)
    values[np.isnan(values)] = np.nan
    return values.view(np.uint64)


def assert_same(what, found, expected):
    found, expected = np.asarray(found, dtype=np.float64), np.asarray(expected, dtype=np.float64)
    assert found.shape == expected.shape, f"{what}: {found.shape} is not {expected.shape}"
    np.testing.assert_array_equal(bits(found), bits(expected), err_msg=what)


def read_arrow(path):
    with pa.ipc.open_stream(path) as reader:
        return reader.read_all()


def read_csv(path):
    return pd.read_csv(path, float_precision="round_trip")


def microseconds(times):
    return pd.to_datetime(times, utc=True).astype("datetime64[us, UTC]").astype(np.int64).to_numpy()


class Window:
    """A window as its JSON has it."""

    def __init__(self, path):
        answer = json.loads(path.read_text())
        assert list(answer) == ["times", "series", "values", "as_of", "receipt"], list(answer)
        self.times = pd.to_datetime(pd.Series(answer["times"]), utc=True)
        self.ids = [series["series_id"] for series in answer["series"]]
        self.names = [series["tags"]["Ticker"] for series in answer["series"]]
        self.values = np.array(answer["values"], dtype=np.float64)
        assert self.values.shape == (len(self.ids), len(self.times))
        assert self.ids == sorted(self.ids) and self.times.is_monotonic_increasing

    def array_of(self, long):
        """A table in the long form as an array."""
        long = long.assign(time=microseconds(long["time"]))
        table = long.pivot(index="series_id", columns="time", values="value")
        return table.reindex(index=self.ids, columns=microseconds(self.times)).to_numpy()


def check_window(folder, name):
    window = Window(folder / f"{name}.json")
    assert np.isnan(window.values).any() and np.isfinite(window.values).any(), "the test means to have gaps"

    array = np.load(folder / f"{name}.npy", allow_pickle=False)
    assert array.dtype == np.float64 and array.flags.c_contiguous
    assert_same(f"{name}.npy", array, window.values)

    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["series_id", "times", "values"], sorted(arrays)
        assert arrays["series_id"].dtype == arrays["times"].dtype == np.int64
        assert arrays["series_id"].tolist() == window.ids
        np.testing.assert_array_equal(arrays["times"], microseconds(window.times))
        assert_same(f"{name}.npz", arrays["values"], window.values)

    present = np.isfinite(window.values).sum()
    arrow = read_arrow(folder / f"{name}.arrow")
    types = {field.name: field.type for field in arrow.schema}
    assert list(types.items()) == [
        ("series_id", pa.int64()), ("Ticker", TAG), ("time", TIME), ("value", pa.float64())
    ], arrow.schema
    csv = read_csv(folder / f"{name}.csv")
    for ending, long in [("arrow", arrow.to_pandas()), ("csv", csv)]:
        assert list(long) == ["series_id", "Ticker", "time", "value"], list(long)
        assert len(long) == present and long["value"].notna().all(), "what is missing is left out"
        named = dict(zip(window.ids, window.names))
        assert (long["series_id"].map(named) == long["Ticker"].astype(str)).all()
        assert_same(f"{name}.{ending}", window.array_of(long), window.values)

    arrow = read_arrow(folder / f"{name}.wide.arrow")
    assert arrow.schema.types == [TIME] + [pa.float64()] * len(window.ids), arrow.schema
    for ending, wide in [("arrow", arrow.to_pandas()), ("csv", read_csv(folder / f"{name}.wide.csv"))]:
        assert list(wide) == ["time"] + window.names, list(wide)
        np.testing.assert_array_equal(microseconds(wide["time"]), microseconds(window.times))
        assert_same(f"{name}.wide.{ending}", wide[window.names].to_numpy().T, window.values)
    return window


def check_level(window, prices):
    """What was loaded is what comes out."""
    prices = pd.read_csv(prices, float_precision="round_trip", parse_dates=["Date"])
    table = prices.pivot(index="Ticker", columns="Date", values="Close")
    table = table.loc[:, (table.columns >= "2004-08-01") & (table.columns < "2012-06-10")]
    np.testing.assert_array_equal(microseconds(table.columns.to_series()), microseconds(window.times))
    assert_same("level and the file", table.reindex(window.names).to_numpy(), window.values)


def check_correlation(folder, name):
    answer = json.loads((folder / f"{name}.json").read_text())
    assert answer["target"]["tags"] == {"Ticker": "AAPL"}
    results = [found["results"] for found in answer["ranges"]]
    ids = [result["series_id"] for result in results[0]]
    names = [result["series"]["Ticker"] for result in results[0]]
    assert all([result["series_id"] for result in found] == ids for found in results)
    figures = {figure: np.array([[result[figure] for result in found] for found in results], dtype=np.float64)
               for figure in ["r", "n", "p_value", "q_value"]}
    for bound, figure in enumerate(["ci95_low", "ci95_high"]):
        figures[figure] = np.array(
            [[(result["ci95"] or [None, None])[bound] for result in found] for found in results], dtype=np.float64
        )
    assert np.isnan(figures["r"]).any() or name == "ranking", "Facebook has too few days"

    array = np.load(folder / f"{name}.npy", allow_pickle=False)
    assert array.dtype == np.float64 and array.flags.c_contiguous
    assert_same(f"{name}.npy", array, figures["r"])

    with np.load(folder / f"{name}.npz", allow_pickle=False) as arrays:
        assert sorted(arrays) == ["n", "r", "ranges", "series_id"], sorted(arrays)
        assert arrays["n"].dtype == arrays["ranges"].dtype == arrays["series_id"].dtype == np.int64
        assert arrays["series_id"].tolist() == ids
        bounds = [[found["from"], found["to"]] for found in answer["ranges"]]
        np.testing.assert_array_equal(arrays["ranges"], [microseconds(pd.Series(pair)) for pair in bounds])
        assert_same(f"{name}.npz", arrays["r"], figures["r"])
        np.testing.assert_array_equal(arrays["n"], figures["n"])

    arrow = read_arrow(folder / f"{name}.arrow")
    types = {field.name: field.type for field in arrow.schema}
    assert list(types.items()) == [
        ("range", pa.int64()), ("series_id", pa.int64()), ("Ticker", TAG), ("r", pa.float64()), ("n", pa.int64()),
    ] + [(figure, pa.float64()) for figure in STATS], arrow.schema
    shape = figures["r"].shape
    for ending, table in [("arrow", arrow.to_pandas()), ("csv", read_csv(folder / f"{name}.csv"))]:
        assert list(table) == list(types), list(table)
        assert table["range"].tolist() == [found for found in range(shape[0]) for _ in ids]
        assert table["series_id"].tolist() == ids * shape[0]
        assert table["Ticker"].astype(str).tolist() == names * shape[0]
        for figure in ["r", "n", *STATS]:
            assert_same(f"{name}.{ending}, {figure}", table[figure].to_numpy().reshape(shape), figures[figure])
    return names, figures["r"]


def main(folder, prices):
    check_level(check_window(folder, "level"), prices)
    check_window(folder, "returns")
    names, r = check_correlation(folder, "correlation")
    best, ranked = check_correlation(folder, "ranking")
    assert r[0, names.index("AAPL")] == 1.0 and "AAPL" not in best
    order = sorted((name for name in names if name != "AAPL"),
                   key=lambda name: -np.nanmax(np.abs(np.append(r[:, names.index(name)], 0.0))))
    assert best == order[:3], f"{best} is not {order[:3]}"
    assert_same("ranking and correlation", ranked, r[:, [names.index(name) for name in best]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
