"""Golden correlations of the real data, made with pandas and scipy in float64.

Run in this folder: python3 make_golden.py  (pandas, scipy). Writes golden.json.
Each case: a question as in design.md, section 7, and r, n (and p where asked) by series in alphabetical order.
"""
import json
import numpy as np
import pandas as pd
from scipy import stats

prices = pd.read_csv("sp500_prices.csv.gz", index_col="Date", parse_dates=True)
long = pd.read_csv("stocks_ohlcv.csv.gz", parse_dates=["Date"])
close = long.pivot(index="Date", columns="Ticker", values="Close")

TRANSFORM = {
    "level": lambda d: d,
    "diff": lambda d: d.diff(),
    "pct": lambda d: d.pct_change(fill_method=None),
    "log_return": lambda d: np.log(d).diff(),
}


def case(name, frame, target, start, end, transform, method="pearson", min_overlap=10):
    values = TRANSFORM[transform](frame)              # the neighbour before the range counts
    values = values[(values.index >= start) & (values.index < end)]
    out = {}
    for column in sorted(values.columns):
        pair = values[[target, column]].dropna() if column != target else values[[target]].dropna()
        x = pair[target].to_numpy(); y = pair[column].to_numpy()
        n = len(x)
        if n < min_overlap or np.ptp(x) == 0 or np.ptp(y) == 0:
            out[column] = {"r": None, "n": n, "p_value": None}
            continue
        r = stats.pearsonr(x, y) if method == "pearson" else stats.spearmanr(x, y)
        out[column] = {"r": float(r.statistic), "n": n, "p_value": float(r.pvalue)}
    return {"name": name, "data": "sp500_prices" if frame is prices else "stocks_ohlcv", "field": "close", "target": target,
            "from": start, "to": end, "bucket": "1d", "transform": transform, "method": method, "min_overlap": min_overlap, "results": out}


cases = [
    case("one year of log returns", prices, "AAPL", "2020-01-01", "2021-01-01", "log_return"),
    case("whole history, levels", prices, "XOM", "1990-01-01", "2023-01-01", "level"),
    case("whole history, log returns", prices, "XOM", "1990-01-01", "2023-01-01", "log_return"),
    case("a quarter, differences", prices, "JPM", "2008-09-01", "2008-12-01", "diff"),
    case("ranks", prices, "KO", "2015-06-15", "2016-06-15", "pct", "spearman"),
    case("series that begin on different days", close, "AAPL", "2004-01-01", "2013-03-02", "log_return"),
    case("too few overlapping buckets", close, "FB", "2012-05-01", "2012-05-25", "log_return"),
]
json.dump({"cases": cases}, open("golden.json", "w"), indent=1)
for c in cases:
    print(c["name"], {k: (None if v["r"] is None else round(v["r"], 4), v["n"]) for k, v in list(c["results"].items())[:4]})
