"""Computes what chunkwise answered once more, with pandas and from the formulas.

    python kinds.py FOLDER PRICES

FOLDER has answers as NAME.json, .npz and .npy: the windows `stocks` (with gaps) and `prices` (without), from which all else
follows; PRICES is the CSV file of the stocks. The exit code says whether all was well.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

FOLDER, PRICES = Path(sys.argv[1]), Path(sys.argv[2])


def answer(name):
    """An answer as JSON, and its arrays; both, and npy, say the same."""
    read = json.loads((FOLDER / f"{name}.json").read_text())
    arrays = dict(np.load(FOLDER / f"{name}.npz"))
    main = np.load(FOLDER / f"{name}.npy")
    np.testing.assert_array_equal(main, arrays["values" if "values" in arrays else "r"])
    return read, arrays


def frame(name):
    """A window as pandas has it: a column a series."""
    read, arrays = answer(name)
    times = pd.to_datetime(pd.Series(read["times"]), utc=True)
    return pd.DataFrame(arrays["values"].T, index=times, columns=arrays["series_id"])


def near(what, found, expected, tolerance):
    found, expected = np.array(found, dtype=np.float64), np.array(expected, dtype=np.float64)
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance, equal_nan=True, err_msg=what)


def floats(rows):
    return np.array([[np.nan if cell is None else cell for cell in row] for row in rows], dtype=np.float64)


frames = {"stocks": frame("stocks"), "prices": frame("prices")}

# Exponentially weighted.
stocks = frames["stocks"]
for half_life in [20, 0.5]:
    read, arrays = answer(f"ewma_{half_life}")
    target = read["target"]["series_id"]
    for range_, found, counts in zip(read["ranges"], arrays["r"], arrays["n"]):
        within = stocks.loc[range_["from"] : pd.Timestamp(range_["to"]) - pd.Timedelta("1us")]
        for series, r, n, result in zip(arrays["series_id"], found, counts, range_["results"]):
            pairs = within[[target, series]].dropna() if series != target else within[[target]].dropna()
            assert n == len(pairs), (n, len(pairs))
            expected = within[target].ewm(halflife=half_life).corr(within[series])
            expected = expected.ffill().iloc[-1] if n >= 10 else np.nan
            near(f"ewma {half_life} {series}", r, expected, 1e-9)
            assert result["p_value"] is None and result["ci95"] is None and result["q_value"] is None, result
    assert np.isfinite(arrays["r"]).sum() >= 9

# All pairs.
for name in ["stocks", "prices"]:
    values = frames[name]
    present = values.notna().astype(int)
    for method in ["pearson", "spearman"]:
        read, arrays = answer(f"{name}_{method}")
        assert [series["series_id"] for series in read["series"]] == list(values.columns) == list(arrays["series_id"])
        near(f"{name} {method}", arrays["r"], values.corr(method, min_periods=10), 1e-5)
        np.testing.assert_array_equal(arrays["n"], present.T @ present)
        np.testing.assert_array_equal(arrays["n"], read["n"])
        np.testing.assert_array_equal(arrays["r"], floats(read["r"]))
        assert sorted(read["order"]) == list(range(len(values.columns))) and list(arrays["order"]) == read["order"]

# The oil companies, and the banks, are neighbours.
read, _ = answer("prices_pearson")
names = [read["series"][row]["tags"]["symbol"] for row in read["order"]]
for a, b in [("CVX", "XOM"), ("BAC", "JPM"), ("KO", "PEP")]:
    assert abs(names.index(a) - names.index(b)) == 1, names

# The strongest pairs.
r = frames["prices"].corr()
ids = list(r.columns)
expected = [(abs(r.iloc[i, j]), ids[i], ids[j]) for i in range(len(ids)) for j in range(i + 1, len(ids))]
expected.sort(key=lambda pair: -pair[0])
read = json.loads((FOLDER / "pairs.json").read_text())
csv = pd.read_csv(FOLDER / "pairs.csv", float_precision="round_trip")
with pa.ipc.open_stream(FOLDER / "pairs.arrow") as reader:
    arrow = reader.read_all().to_pandas()
assert list(csv.columns) == ["a_series_id", "a_symbol", "b_series_id", "b_symbol", "r", "n"] == list(arrow.columns)
assert len(read["pairs"]) == len(csv) == len(arrow) == 12
for at, (pair, (strength, a, b)) in enumerate(zip(read["pairs"], expected)):
    assert (pair["a"]["series_id"], pair["b"]["series_id"]) == (a, b), (pair, a, b)
    near("pair", abs(pair["r"]), strength, 1e-9)
    for table in [csv, arrow]:
        row = table.iloc[at]
        assert (row.a_series_id, row.b_series_id, row.a_symbol, row.r, row.n) == (
            a, b, pair["a"]["tags"]["symbol"], pair["r"], pair["n"]
        )

# Windows that move.
for name, window, step, least in [("stocks", 60, 1, 20), ("prices", 250, 7, 10)]:
    read, arrays = answer(f"{name}_rolling")
    values = frames[name]
    ends = np.arange(window - 1, len(values), step)
    assert list(pd.to_datetime(pd.Series(read["times"]), utc=True)) == list(values.index[ends])
    assert list(pd.to_datetime(arrays["times"], unit="us", utc=True)) == list(values.index[ends])
    target = values[read["target"]["series_id"]]
    for series, found, result in zip(arrays["series_id"], arrays["r"], read["results"]):
        expected = target.rolling(window, min_periods=least).corr(values[series]).to_numpy()[ends]
        near(f"{name} rolling {series}", found, expected, 1e-8)
        np.testing.assert_array_equal(found, floats([result["r"]])[0])
    assert np.isfinite(arrays["r"]).any()

# Lags.
read, arrays = answer("prices_lag")
values = frames["prices"]
target = values[read["target"]["series_id"]]
assert read["lags"] == list(range(-5, 6)) == list(arrays["lags"])
for series, found, counts, result in zip(arrays["series_id"], arrays["r"], arrays["n"], read["results"]):
    for lag, r, n in zip(read["lags"], found, counts):
        moved = values[series].shift(-lag)
        near(f"lag {lag} of {series}", r, target.corr(moved), 1e-9)
        assert n == pd.concat([target, moved], axis=1).dropna().shape[0]
    best = int(np.nanargmax(np.abs(found)))
    assert result["best"] == {"lag": read["lags"][best], "r": found[best], "n": counts[best]}, result

# Raw rows, from the file itself.
raw = pd.read_csv(PRICES)
raw["Date"] = pd.to_datetime(raw["Date"], utc=True)
within = raw[(raw.Date >= "2004-08-01") & (raw.Date < "2012-06-10")]
logs = {name: np.log(rows.set_index("Date").Close.sort_index()) for name, rows in within.groupby("Ticker")}


def hayashi_yoshida(x, y):
    def changes(side):
        times, values = side.index.to_numpy(), side.to_numpy()
        return times[:-1, None], times[1:, None], np.diff(values)[:, None]

    (from_x, to_x, dx), (from_y, to_y, dy) = changes(x), changes(y)
    overlap = np.maximum(from_x, from_y.T) < np.minimum(to_x, to_y.T)
    return (overlap * (dx * dy.T)).sum() / np.sqrt((dx**2).sum() * (dy**2).sum()), overlap.sum()


def refresh_time(x, y):
    times, now = [], pd.Timestamp.min.tz_localize("UTC")
    while True:
        later_x, later_y = x.index[x.index > now], y.index[y.index > now]
        if later_x.empty or later_y.empty:
            break
        now = max(later_x[0], later_y[0])
        times.append(now)
    dx, dy = np.diff(x.reindex(times, method="ffill")), np.diff(y.reindex(times, method="ffill"))
    return (dx * dy).sum() / np.sqrt((dx**2).sum() * (dy**2).sum()), len(dx)


for method in [hayashi_yoshida, refresh_time]:
    read, arrays = answer(method.__name__)
    for result, found, n in zip(read["ranges"][0]["results"], arrays["r"][0], arrays["n"][0]):
        expected, count = method(logs["AAPL"], logs[result["series"]["Ticker"]])
        near(f"{method.__name__} {result}", [found, result["r"]], [expected, expected], 1e-9)
        assert n == result["n"] == count, (n, count)
